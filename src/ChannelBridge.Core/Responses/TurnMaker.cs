using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>Makes the message of a turn from a request, for agents that know messages only.</summary>
internal static class TurnMaker
{
    /// <summary>The channel of messages that no channel brought.</summary>
    public const string Channel = "responses";

    /// <summary>The message: the text and the files of the last user message.</summary>
    public static InboundMessage Make(ResponseRequest request, string owner, string session, string agent, long now)
    {
        var last = request.Input.OfType<MessageItem>().LastOrDefault(message => message.Role == "user");
        List<Attachment>? files = null;
        foreach (var part in last?.Content ?? [])
        {
            if (Describe(part) is { } file) (files ??= []).Add(file);
        }

        return new InboundMessage
        {
            Channel = Channel,
            AccountId = owner,
            SessionKey = "responses:" + session,
            Agent = agent,
            Route = session,
            SenderId = request.SafetyIdentifier ?? request.User ?? owner,
            Door = Door.Listener,
            Text = string.Join('\n', (last?.Content ?? []).OfType<InputTextPart>().Select(part => part.Text)),
            Type = files is null ? "text" : files[0].MimeType.StartsWith("image/", StringComparison.Ordinal) ? "image" : "file",
            Attachments = files,
            AcceptedAt = now,
        };
    }

    private static Attachment? Describe(ContentPart part) => part switch
    {
        InputImagePart { ImageUrl: { } url } => FromUrl(url, null, "image/*"),
        InputFilePart { FileData: { } data } file => FromUrl(data.StartsWith("data:", StringComparison.OrdinalIgnoreCase) ? data : "data:;base64," + data, file.FileName, null),
        InputFilePart { FileUrl: { } url } file => FromUrl(url, file.FileName, null),
        _ => null,
    };

    private static Attachment FromUrl(string url, string? name, string? type)
    {
        const string Unknown = "application/octet-stream";
        if (!url.StartsWith("data:", StringComparison.OrdinalIgnoreCase)) return new Attachment { Location = url, FileName = name, MimeType = type ?? Unknown };
        var comma = url.IndexOf(',', StringComparison.Ordinal);
        var declared = url["data:".Length..comma].Split(';')[0];
        return new Attachment
        {
            Content = Convert.FromBase64String(url[(comma + 1)..]),
            FileName = name,
            MimeType = declared.Length > 0 ? declared : type ?? Unknown,
        };
    }
}
