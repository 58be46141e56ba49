namespace ChannelBridge.Abstractions.Messaging;

/// <summary>A message on its way from an agent (or an operator) to a bridge, as the outbox keeps it until its receipt is final.</summary>
public sealed record OutboundMessage
{
    /// <summary>The channel id.</summary>
    public required string Channel { get; init; }

    /// <summary>The account in its display case.</summary>
    public required string AccountId { get; init; }

    /// <summary>The canonical session key: the lane.</summary>
    public required string SessionKey { get; init; }

    /// <summary>The channel's own address of the conversation, opaque to Core.</summary>
    public required string Route { get; init; }

    /// <summary>The text.</summary>
    public string Text { get; init; } = "";

    /// <summary>The channel's word for the kind of content (<c>text</c>, <c>image</c>, …).</summary>
    public string Type { get; init; } = "text";

    /// <summary><c>final</c>, <c>block</c> or <c>tool</c>; null for a proactive send.</summary>
    public string? Kind { get; init; }

    /// <summary>The bridge's id of the message that this one answers, or null.</summary>
    public string? ReplyToId { get; init; }

    /// <summary>A file that goes with the message.</summary>
    public Attachment? Attachment { get; init; }

    /// <summary>The id under which this message was shown while it grew, or null when it wasn't.</summary>
    public string? StreamId { get; init; }

    /// <summary>W3C <c>traceparent</c> of the turn, or null.</summary>
    public string? TraceParent { get; init; }
}
