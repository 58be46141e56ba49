namespace ChannelBridge.Channels.Bncr;

/// <summary>What differs for one account (<c>Channels:Bncr:Accounts:ID</c>). What is null follows <see cref="BncrOptions"/>.</summary>
public sealed class BncrAccountOptions
{
    /// <summary>False: messages of the account are answered <c>accepted:false, reason:"account disabled"</c>. Default: as the channel.</summary>
    public bool? Enabled { get; set; }

    /// <summary>Overrides <see cref="BncrOptions.Agent"/>.</summary>
    public string? Agent { get; set; }

    /// <summary>A name to show, or null.</summary>
    public string? Name { get; set; }

    /// <summary>Overrides <see cref="BncrOptions.DmPolicy"/>.</summary>
    public BncrPolicyMode? DmPolicy { get; set; }

    /// <summary>Overrides <see cref="BncrOptions.GroupPolicy"/>.</summary>
    public BncrPolicyMode? GroupPolicy { get; set; }

    /// <summary>Overrides <see cref="BncrOptions.AllowFrom"/>; an empty list allows nobody.</summary>
    public IList<string>? AllowFrom { get; set; }

    /// <summary>Overrides <see cref="BncrOptions.GroupAllowFrom"/>; an empty list allows nobody.</summary>
    public IList<string>? GroupAllowFrom { get; set; }

    /// <summary>Overrides <see cref="BncrOptions.OutboundRequireAck"/>.</summary>
    public BncrAckMode? OutboundRequireAck { get; set; }
}
