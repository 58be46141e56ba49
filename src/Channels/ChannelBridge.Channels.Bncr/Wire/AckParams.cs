namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.ack</c>.</summary>
internal sealed class AckParams : LeaseParams
{
    /// <summary>The push's <c>messageId</c>. Required.</summary>
    public string? MessageId { get; set; }

    /// <summary>True (default): the client has it. False: it couldn't take it.</summary>
    public bool? Ok { get; set; }

    /// <summary>With <c>ok:false</c>: trying again is pointless.</summary>
    public bool? Fatal { get; set; }

    /// <summary>With <c>ok:false</c>: why.</summary>
    public string? Error { get; set; }

    /// <summary>The platform has it, too.</summary>
    public bool? Delivered { get; set; }

    /// <summary>With <c>ok:false</c>: when to try again.</summary>
    public long? RetryAfterMs { get; set; }
}
