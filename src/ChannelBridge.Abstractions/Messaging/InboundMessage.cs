using System.Text.Json;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// A message on its way from a bridge to an agent, as the inbox keeps it. Everything a turn needs is in it, because the turn may run
/// after a restart, when the connection that brought the message is long gone.
/// </summary>
public sealed record InboundMessage
{
    /// <summary>The channel id.</summary>
    public required string Channel { get; init; }

    /// <summary>The account in its display case.</summary>
    public required string AccountId { get; init; }

    /// <summary>The canonical session key: the lane.</summary>
    public required string SessionKey { get; init; }

    /// <summary>The name of the agent that runs the turn, e.g. <c>echo</c> or <c>openclaw</c>.</summary>
    public required string Agent { get; init; }

    /// <summary>The channel's own address of the conversation, opaque to Core (bncr: <c>platform:groupId:userId</c>).</summary>
    public required string Route { get; init; }

    /// <summary>True for a group conversation.</summary>
    public bool IsGroup { get; init; }

    /// <summary>The sender inside the conversation (bncr: the clientId).</summary>
    public required string SenderId { get; init; }

    /// <summary>
    /// The sender as allow lists and the gateway's pairing store name it (bncr: the display form of the route), or null where that is
    /// <see cref="SenderId"/>.
    /// </summary>
    public string? Subject { get; init; }

    /// <summary>The door it came through: the gateway's settings govern messages of its own door only.</summary>
    public Door Door { get; init; }

    /// <summary>The id that the bridge gave the message, or null.</summary>
    public string? MessageId { get; init; }

    /// <summary>The text, possibly empty when there are attachments.</summary>
    public string Text { get; init; } = "";

    /// <summary>The channel's word for the kind of content (<c>text</c>, <c>image</c>, …).</summary>
    public string Type { get; init; } = "text";

    /// <summary>Files that came with the message.</summary>
    public IReadOnlyList<Attachment>? Attachments { get; init; }

    /// <summary>The sub-conversation that the text asked for (bncr task split), or null.</summary>
    public string? TaskKey { get; init; }

    /// <summary>True when the text is a command that the channel recognised as such; the agent's side decides on authority.</summary>
    public bool IsCommand { get; init; }

    /// <summary>True when the bridge asked to be shown the answer while it grows.</summary>
    public bool Stream { get; init; }

    /// <summary>How the channel wants its turn run, or null: like any other.</summary>
    public TurnRules? Rules { get; init; }

    /// <summary>
    /// What the sender said of the message besides, where the channel has such a thing: one JSON object of a few KiB, opaque to Core and never obeyed. Null: nothing.
    /// </summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>When the host accepted it (Unix milliseconds).</summary>
    public long AcceptedAt { get; init; }

    /// <summary>W3C <c>traceparent</c> of the request, or null.</summary>
    public string? TraceParent { get; init; }
}

/// <summary>A file beside a message: inline bytes, a file of the spool, or a reference.</summary>
public sealed record Attachment
{
    /// <summary>MIME type as declared, or <c>application/octet-stream</c>.</summary>
    public string MimeType { get; init; } = "application/octet-stream";

    /// <summary>A name to show; never used as a path.</summary>
    public string? FileName { get; init; }

    /// <summary>The bytes, when they travel inline.</summary>
    public byte[]? Content { get; init; }

    /// <summary>A path or URL given by the agent's side, when the bytes don't travel inline.</summary>
    public string? Location { get; init; }

    /// <summary>The name of the file in the host's spool, when the bytes lie there; read it with <see cref="Transfers.ISpool"/>.</summary>
    public string? File { get; init; }

    /// <summary>True: a voice message, to be played rather than filed.</summary>
    public bool IsVoice { get; init; }

    /// <summary>The size in bytes of what lies in the spool.</summary>
    public long Size { get; init; }

    /// <summary>The SHA-256 of what lies in the spool, lower-case hexadecimal, or null.</summary>
    public string? Sha256 { get; init; }
}
