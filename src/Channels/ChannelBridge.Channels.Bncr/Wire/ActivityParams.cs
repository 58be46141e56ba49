namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.activity</c>.</summary>
internal sealed class ActivityParams : LeaseParams
{
    /// <summary>As on <c>bncr.connect</c>, for a client that is heard again after a restart of the host without connecting anew.</summary>
    public bool? Ack { get; set; }
}
