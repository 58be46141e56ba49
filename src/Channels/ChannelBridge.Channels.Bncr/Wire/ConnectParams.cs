namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.connect</c>.</summary>
internal sealed class ConnectParams : LeaseParams
{
    /// <summary><c>bncr</c> or <c>plugin.bncr</c>: what event names shall begin with (own listener only).</summary>
    public string? EventPrefix { get; set; }

    /// <summary>True: this client acks what it is pushed.</summary>
    public bool? Ack { get; set; }

    /// <summary>The cursor of the last push that the client has.</summary>
    public string? LastCursor { get; set; }

    /// <summary>Files up to this many bytes come inside the push as base64, larger ones in chunks before it; absent means the setting's bound (0).</summary>
    public long? InlineMediaBytes { get; set; }
}
