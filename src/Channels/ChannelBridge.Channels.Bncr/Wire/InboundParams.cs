using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.inbound</c>.</summary>
internal sealed class InboundParams : LeaseParams
{
    /// <summary>The platform, e.g. <c>qq</c>. Required, no colon.</summary>
    public string? Platform { get; set; }

    /// <summary>The group; <c>0</c>, the default, for a private chat. No colon.</summary>
    public string? GroupId { get; set; }

    /// <summary>The user. Required.</summary>
    public string? UserId { get; set; }

    /// <summary><c>text</c> (default), <c>image</c>, <c>video</c>, <c>file</c>, …</summary>
    public string? Type { get; set; }

    /// <summary>The text.</summary>
    public string? Msg { get; set; }

    /// <summary>A file's bytes.</summary>
    [JsonConverter(typeof(InlineMediaConverter))]
    public InlineMedia? Base64 { get; set; }

    /// <summary>The path that <c>bncr.file.complete</c> answered.</summary>
    public string? Path { get; set; }

    /// <summary>The file's MIME type.</summary>
    public string? MimeType { get; set; }

    /// <summary>The file's name, to show.</summary>
    public string? FileName { get; set; }

    /// <summary>The platform's id of the message; what makes a resend a duplicate.</summary>
    public string? MsgId { get; set; }

    /// <summary>True: the answer is shown while it grows, by <c>partial</c> events. Default false.</summary>
    public bool? Stream { get; set; }

    /// <summary>The agent that answers, by name; absent: the account's. Through the gateway its own agent always answers.</summary>
    public string? Agent { get; set; }

    /// <summary>The session key as the client computes it; must agree with the route.</summary>
    public string? SessionKey { get; set; }
}
