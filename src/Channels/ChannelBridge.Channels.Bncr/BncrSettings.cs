using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr;

/// <summary>What stands under <c>Channels:Bncr</c>.</summary>
internal static class BncrSettings
{
    /// <summary>The channel's settings.</summary>
    public static readonly ChannelSettings<BncrOptions> All = new ChannelSettings<BncrOptions>("Bncr", Channel)
        .WithDefaults((options, reader) => options.Agent = reader.DefaultAgent)
        .WithAccounts<BncrAccountOptions>(Account, options => options.Accounts)
        .WithAccountKey(id => AccountIds.Key(string.Equals(id, "default", StringComparison.OrdinalIgnoreCase) ? AccountIds.Primary : id))
        .WithCheck(new BncrOptionsValidator());

    private static void Channel(SettingGroup<BncrOptions> keys) => keys
        .Flag("Enabled", o => o.Enabled, (o, v) => o.Enabled = v, "False: messages are answered `account disabled`")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers messages of the own doors")
        .Text("SessionAgentId", o => o.SessionAgentId, (o, v) => o.SessionAgentId = v,
            "The agent id in session keys of the own doors", "main")
        .Text("EventPrefix", o => o.EventPrefix, (o, v) => o.EventPrefix = v,
            "What event names begin with on the own doors: `bncr` or `plugin.bncr`", "plugin.bncr")
        .Choice<BncrPolicyMode>("DmPolicy", o => o.DmPolicy, (o, v) => o.DmPolicy = v, "Who may write in private through the own doors")
        .Choice<BncrPolicyMode>("GroupPolicy", o => o.GroupPolicy, (o, v) => o.GroupPolicy = v,
            "Who may write in groups through the own doors")
        .List("AllowFrom", (o, v) => o.AllowFrom = [.. v], "Private conversations that `allowlist` lets through", "Bncr:qq:888888")
        .List("GroupAllowFrom", (o, v) => o.GroupAllowFrom = [.. v],
            "Group conversations that `allowlist` lets through", "Bncr:qq:123456:*")
        .Choice<BncrAckMode>("OutboundRequireAck", o => o.OutboundRequireAck, (o, v) => o.OutboundRequireAck = v,
            "Whether clients must acknowledge what they are pushed")
        .Duration("DedupeWindow", TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), o => o.DedupeWindow, (o, v) => o.DedupeWindow = v,
            "How long a `msgId` is remembered")
        .Duration("ContentDedupeWindow", TimeSpan.Zero, TimeSpan.FromMinutes(10), o => o.ContentDedupeWindow, (o, v) => o.ContentDedupeWindow = v,
            "How long equal content without a `msgId` counts as one message")
        .Size("MaxInlineMediaBytes", 0, 64 << 20, o => o.MaxInlineMediaBytes, (o, v) => o.MaxInlineMediaBytes = (int)v,
            "The largest file inside a message, decoded")
        .Size("InlinePushBytes", 0, 16 << 20, o => o.InlinePushBytes, (o, v) => o.InlinePushBytes = (int)v,
            "Files up to this size are pushed inside the message, larger ones in chunks before it")
        .Number("MaxTextLength", 1, 64 << 20, o => o.MaxTextLength, (o, v) => o.MaxTextLength = (int)v,
            "The longest text, in UTF-16 characters")
        .Duration("ReconnectGrace", TimeSpan.Zero, TimeSpan.FromMinutes(10), o => o.ReconnectGrace, (o, v) => o.ReconnectGrace = v,
            "How long an account is kept for the token whose connection was cut off")
        .Number("MaxAccounts", 1, 10_000_000, o => o.MaxAccounts, (o, v) => o.MaxAccounts = (int)v, "Accounts that may exist")
        .Duration("RpcTimeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), o => o.RpcTimeout, (o, v) => o.RpcTimeout = v,
            "How long a call to a client waits for its response")
        .Flag("AllowUnknownTargets", o => o.AllowUnknownTargets, (o, v) => o.AllowUnknownTargets = v,
            "True: a send may go to a conversation that never wrote");

    private static void Account(SettingGroup<BncrAccountOptions> keys) => keys
        .Flag("Enabled", o => o.Enabled ?? true, (o, v) => o.Enabled = v ? o.Enabled : false,
            "False: messages of the account are answered `account disabled`")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers the account's messages of the own doors", "as the channel")
        .Text("Name", o => o.Name, (o, v) => o.Name = v, "A name to show", "The shop's bridge")
        .Choice<BncrPolicyMode>("DmPolicy", o => o.DmPolicy, (o, v) => o.DmPolicy = v, "As for the channel")
        .Choice<BncrPolicyMode>("GroupPolicy", o => o.GroupPolicy, (o, v) => o.GroupPolicy = v, "As for the channel")
        .List("AllowFrom", (o, v) => o.AllowFrom = [.. v], "As for the channel", "Bncr:qq:888888")
        .List("GroupAllowFrom", (o, v) => o.GroupAllowFrom = [.. v], "As for the channel", "Bncr:qq:123456:*")
        .Choice<BncrAckMode>("OutboundRequireAck", o => o.OutboundRequireAck, (o, v) => o.OutboundRequireAck = v, "As for the channel");
}
