using System.Text.Json;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>A user's message: the platform's input parts as one user message of Open Responses.</summary>
/// <param name="MessageId">The platform's id of it, by which it is known again.</param>
/// <param name="SessionId">The conversation.</param>
/// <param name="Parts">Its parts, in order; at least one.</param>
internal sealed record UserMessage(string MessageId, string SessionId, IReadOnlyList<ContentPart> Parts)
{
    private const int MaxId = 200;
    private const int MaxParts = 64;

    /// <summary>The texts, for agents that know texts only.</summary>
    public string Text => string.Join('\n', Parts.OfType<InputTextPart>().Select(part => part.Text));

    /// <summary>The files and pictures that have an address, for agents that take attachments.</summary>
    public IReadOnlyList<Attachment>? Attachments
    {
        get
        {
            List<Attachment>? files = null;
            foreach (var part in Parts)
            {
                var file = part switch
                {
                    InputImagePart { ImageUrl: { } url } when IsWeb(url) => new Attachment { MimeType = "image/*", Location = url },
                    InputFilePart { FileUrl: { } url } named => new Attachment { FileName = named.FileName, Location = url },
                    _ => null,
                };
                if (file is not null) (files ??= []).Add(file);
            }

            return files;
        }
    }

    /// <summary>Reads a message. The ids may stand in the payload or in the headers.</summary>
    /// <param name="frame">What the broker sent.</param>
    /// <param name="fileUrlTemplate">How a file that is named by id is fetched, or null.</param>
    /// <param name="ids">The ids as far as there are any, also when the message doesn't fit: by them the platform is told.</param>
    /// <param name="fault">What doesn't fit; null when the message is good.</param>
    public static UserMessage? Read(in Frame frame, string? fileUrlTemplate, out (string? MessageId, string? SessionId) ids, out string? fault)
    {
        ids = (Frame.Text(frame.Data, "messageId") ?? frame.MessageId, Frame.Text(frame.Data, "sessionId") ?? frame.SessionId);
        fault = null;
        if (!IsId(ids.MessageId)) fault = $"messageId is required: at most {MaxId} characters, none of them a control character";
        else if (!IsId(ids.SessionId)) fault = $"sessionId is required: at most {MaxId} characters, none of them a control character";
        if (fault is not null) return null;
        var parts = new List<ContentPart>();
        if (frame.Data.TryGetProperty("input", out var input) || frame.Data.TryGetProperty("content", out input)) fault = Add(input, fileUrlTemplate, parts);
        if (fault is null && parts.Count == 0) fault = "input is empty";
        if (fault is null && parts.Count > MaxParts) fault = $"input has more than {MaxParts} parts";
        return fault is null ? new UserMessage(ids.MessageId!, ids.SessionId!, parts) : null;
    }

    private static string? Add(JsonElement input, string? fileUrlTemplate, List<ContentPart> parts)
    {
        switch (input.ValueKind)
        {
            case JsonValueKind.String:
                parts.Add(new InputTextPart(input.GetString()!));
                return null;
            case JsonValueKind.Object:
                return AddPart(input, fileUrlTemplate, parts);
            case JsonValueKind.Array:
                foreach (var item in input.EnumerateArray())
                {
                    if (parts.Count > MaxParts) break;
                    if ((item.ValueKind == JsonValueKind.String ? Add(item, fileUrlTemplate, parts) : AddPart(item, fileUrlTemplate, parts)) is { } fault) return fault;
                }

                return null;
            default:
                return "input must be a text or a list of input_text, input_file and input_image";
        }
    }

    private static string? AddPart(JsonElement part, string? fileUrlTemplate, List<ContentPart> parts)
    {
        switch (Frame.Text(part, "type"))
        {
            case "input_text" or "text" when Frame.Text(part, "text") is { } text:
                parts.Add(new InputTextPart(text));
                return null;
            case "input_image":
                var url = Frame.Text(part, "image_url")
                    ?? (part.TryGetProperty("image_url", out var inner) ? Frame.Text(inner, "url") : null);
                if (url is null || !(IsWeb(url) || url.StartsWith("data:image/", StringComparison.OrdinalIgnoreCase))) return "input_image needs an image_url: http, https or data";
                parts.Add(new InputImagePart(url, Frame.Text(part, "detail")));
                return null;
            case "input_file":
                return AddFile(part, fileUrlTemplate, parts);
            case "message" when Frame.Text(part, "role") is "user" or null && part.TryGetProperty("content", out var content):
                return Add(content, fileUrlTemplate, parts);
            default:
                return "a part of input is none of input_text {text}, input_file {file_id} and input_image {image_url}";
        }
    }

    private static string? AddFile(JsonElement part, string? fileUrlTemplate, List<ContentPart> parts)
    {
        var name = Frame.Text(part, "filename");
        if (Frame.Text(part, "file_data") is { } data)
        {
            parts.Add(new InputFilePart(name, data, null));
            return null;
        }

        var id = Frame.Text(part, "file_id");
        var url = Frame.Text(part, "file_url") ?? (id is null ? null : fileUrlTemplate?.Replace("{file_id}", Uri.EscapeDataString(id), StringComparison.Ordinal));
        if (url is not null)
        {
            if (!IsWeb(url)) return "file_url must be an http or https address";
            parts.Add(new InputFilePart(name ?? id, null, url));
            return null;
        }

        if (!IsId(id)) return "input_file needs a file_id";
        // Nobody has said how the platform's files are fetched; the agent knows at least that there is one.
        parts.Add(new InputTextPart(name is null ? $"[attached file: {id}]" : $"[attached file: {id}, {name}]"));
        return null;
    }

    private static bool IsWeb(string url) => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https";

    private static bool IsId(string? id) => id is { Length: > 0 and <= MaxId } && !id.Any(char.IsControl);
}
