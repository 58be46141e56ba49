using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr.Policy;

/// <summary>The settings of one account, with the channel's where it has none of its own.</summary>
internal sealed class AccountPolicy
{
    public const string AccountDisabled = "account disabled";
    public const string DmDisabled = "dm disabled";
    public const string DmBlocked = "dm allowlist blocked";
    public const string GroupDisabled = "group disabled";
    public const string GroupBlocked = "group allowlist blocked";

    private readonly BncrPolicyMode _dm;
    private readonly BncrPolicyMode _group;
    private readonly RouteMatcher _allow;
    private readonly RouteMatcher _groupAllow;

    public AccountPolicy(BncrOptions channel, BncrAccountOptions? account)
    {
        Enabled = channel.Enabled && (account?.Enabled ?? true);
        Name = account?.Name;
        Agent = account?.Agent ?? channel.Agent;
        AckMode = account?.OutboundRequireAck ?? channel.OutboundRequireAck;
        AckSource = account?.OutboundRequireAck is not null ? "account" : channel.OutboundRequireAck is BncrAckMode.Auto ? "default" : "channel";
        _dm = account?.DmPolicy ?? channel.DmPolicy;
        _group = account?.GroupPolicy ?? channel.GroupPolicy;
        _allow = new RouteMatcher(account?.AllowFrom ?? channel.AllowFrom);
        _groupAllow = new RouteMatcher(account?.GroupAllowFrom ?? channel.GroupAllowFrom);
    }

    public bool Enabled { get; }

    public string? Name { get; }

    /// <summary>The agent that answers messages of the host's own doors.</summary>
    public string Agent { get; }

    public BncrAckMode AckMode { get; }

    /// <summary>Where <see cref="AckMode"/> was set: <c>default</c>, <c>channel</c> or <c>account</c>.</summary>
    public string AckSource { get; }

    /// <summary>Why a message of the host's own doors may not pass, or null.</summary>
    public string? Refuse(BncrRoute route) => (route.IsGroup, route.IsGroup ? _group : _dm) switch
    {
        (_, BncrPolicyMode.Open) => null,
        (true, BncrPolicyMode.Disabled) => GroupDisabled,
        (true, _) => _groupAllow.Allows(route) ? null : GroupBlocked,
        (false, BncrPolicyMode.Disabled) => DmDisabled,
        (false, _) => _allow.Allows(route) ? null : DmBlocked,
    };
}
