using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Core.Net;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>Refuses requests whose URLs name private addresses, before any agent sees them: an agent or its provider may fetch them from inside a network.</summary>
internal static class UrlInputs
{
    /// <summary>Checks every URL of a request's own input.</summary>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c> with the place.</exception>
    public static void Check(ResponseRequest request)
    {
        for (var i = 0; i < request.Input.Count; i++)
        {
            switch (request.Input[i])
            {
                case MessageItem message:
                    CheckParts(message.Content, $"input[{i}].content");
                    break;
                case FunctionCallOutputItem { Parts: { } parts }:
                    CheckParts(parts, $"input[{i}].output");
                    break;
            }
        }
    }

    private static void CheckParts(IReadOnlyList<ContentPart> parts, string place)
    {
        for (var i = 0; i < parts.Count; i++)
        {
            var (url, name) = parts[i] switch
            {
                InputImagePart image => (image.ImageUrl, "image_url"),
                InputFilePart file => (file.FileUrl, "file_url"),
                InputVideoPart video => (video.VideoUrl, "video_url"),
                _ => (null, ""),
            };
            if (url is null || url.StartsWith("data:", StringComparison.OrdinalIgnoreCase)) continue;
            if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0 || PublicAddresses.IsPlainlyPrivate(uri))
                throw ResponseErrors.Invalid($"{place}[{i}].{name} must be a public http or https URL: it names a private address.", $"{place}[{i}].{name}", "private_url");
        }
    }
}
