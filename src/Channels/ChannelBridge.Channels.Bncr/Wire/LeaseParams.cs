namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>What every bncr call may carry.</summary>
internal class LeaseParams
{
    /// <summary>The account; blank means <c>Primary</c>.</summary>
    public string? AccountId { get; set; }

    /// <summary>What the client calls itself.</summary>
    public string? ClientId { get; set; }

    /// <summary>The lease from <c>bncr.connect</c>; absent is never stale.</summary>
    public string? LeaseId { get; set; }

    /// <summary>The lease's number from <c>bncr.connect</c>; absent is never stale.</summary>
    public long? ConnectionEpoch { get; set; }
}
