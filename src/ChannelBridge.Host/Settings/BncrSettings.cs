using ChannelBridge.Agents;
using ChannelBridge.Channels.Bncr;

namespace ChannelBridge.Host.Settings;

/// <summary>The keys of the bncr channel and its accounts.</summary>
internal static class BncrSettings
{
    private const string AccountPrefix = "Channels:Bncr:Accounts:<id>:";

    /// <summary>The channel's keys.</summary>
    public static readonly SettingGroup<BncrOptions> Channel = new SettingGroup<BncrOptions>("Channels:Bncr:")
        .Flag("Enabled", o => o.Enabled, (o, v) => o.Enabled = v, "False: messages are answered `account disabled`")
        .Text("Agent", _ => "Agents:Default", (o, v) => o.Agent = v, "The agent that answers messages of the own doors", "openclaw")
        .Text("SessionAgentId", o => o.SessionAgentId, (o, v) => o.SessionAgentId = v, "The agent id in session keys of the own doors", "main")
        .Text("EventPrefix", o => o.EventPrefix, (o, v) => o.EventPrefix = v, "What event names begin with on the own doors: `bncr` or `plugin.bncr`", "plugin.bncr")
        .Choice<BncrPolicyMode>("DmPolicy", o => o.DmPolicy, (o, v) => o.DmPolicy = v, "Who may write in private through the own doors")
        .Choice<BncrPolicyMode>("GroupPolicy", o => o.GroupPolicy, (o, v) => o.GroupPolicy = v, "Who may write in groups through the own doors")
        .List("AllowFrom", (o, v) => o.AllowFrom = [.. v], "Private conversations that `allowlist` lets through", "Bncr:qq:888888")
        .List("GroupAllowFrom", (o, v) => o.GroupAllowFrom = [.. v], "Group conversations that `allowlist` lets through", "Bncr:qq:123456:*")
        .Choice<BncrAckMode>("OutboundRequireAck", o => o.OutboundRequireAck, (o, v) => o.OutboundRequireAck = v, "Whether clients must acknowledge what they are pushed")
        .Duration("DedupeWindow", TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), o => o.DedupeWindow, (o, v) => o.DedupeWindow = v, "How long a `msgId` is remembered")
        .Duration("ContentDedupeWindow", TimeSpan.Zero, TimeSpan.FromMinutes(10), o => o.ContentDedupeWindow, (o, v) => o.ContentDedupeWindow = v, "How long equal content without a `msgId` counts as one message")
        .Size("MaxInlineMediaBytes", 0, 64 << 20, o => o.MaxInlineMediaBytes, (o, v) => o.MaxInlineMediaBytes = (int)v, "The largest file inside a message, decoded")
        .Size("InlinePushBytes", 0, 16 << 20, o => o.InlinePushBytes, (o, v) => o.InlinePushBytes = (int)v, "Files up to this size are pushed inside the message, larger ones in chunks before it")
        .Number("MaxTextLength", 1, 64 << 20, o => o.MaxTextLength, (o, v) => o.MaxTextLength = (int)v, "The longest text, in UTF-16 characters")
        .Duration("ReconnectGrace", TimeSpan.Zero, TimeSpan.FromMinutes(10), o => o.ReconnectGrace, (o, v) => o.ReconnectGrace = v, "How long an account is kept for the token whose connection was cut off")
        .Number("MaxAccounts", 1, 10_000_000, o => o.MaxAccounts, (o, v) => o.MaxAccounts = (int)v, "Accounts that may exist")
        .Duration("RpcTimeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), o => o.RpcTimeout, (o, v) => o.RpcTimeout = v, "How long a call to a client waits for its response")
        .Flag("AllowUnknownTargets", o => o.AllowUnknownTargets, (o, v) => o.AllowUnknownTargets = v, "True: a send may go to a conversation that never wrote");

    /// <summary>An account's keys.</summary>
    public static readonly SettingGroup<BncrAccountOptions> Account = new SettingGroup<BncrAccountOptions>(AccountPrefix)
        .Flag("Enabled", o => o.Enabled ?? true, (o, v) => o.Enabled = v ? o.Enabled : false, "False: messages of the account are answered `account disabled`")
        .Text("Agent", _ => "as the channel", (o, v) => o.Agent = v, "The agent that answers the account's messages of the own doors", "openclaw")
        .Text("Name", o => o.Name, (o, v) => o.Name = v, "A name to show", "The shop's bridge")
        .Choice<BncrPolicyMode>("DmPolicy", o => o.DmPolicy, (o, v) => o.DmPolicy = v, "As for the channel")
        .Choice<BncrPolicyMode>("GroupPolicy", o => o.GroupPolicy, (o, v) => o.GroupPolicy = v, "As for the channel")
        .List("AllowFrom", (o, v) => o.AllowFrom = [.. v], "As for the channel", "Bncr:qq:888888")
        .List("GroupAllowFrom", (o, v) => o.GroupAllowFrom = [.. v], "As for the channel", "Bncr:qq:123456:*")
        .Choice<BncrAckMode>("OutboundRequireAck", o => o.OutboundRequireAck, (o, v) => o.OutboundRequireAck = v, "As for the channel");

    /// <summary>Reads the channel and its accounts.</summary>
    public static BncrOptions Read(SettingsReader reader, string agent, IReadOnlyList<ProviderOptions> agents)
    {
        var options = new BncrOptions { Agent = agent };
        Channel.Apply(reader, options);
        options.Agent = AgentSettings.ReadName(reader, "Channels:Bncr:Agent", agents, agent)!;
        foreach (var section in reader.Configuration.GetSection("Channels:Bncr:Accounts").GetChildren())
        {
            var account = new BncrAccountOptions();
            Account.Apply(reader, account, section.Path + ":");
            account.Agent = AgentSettings.ReadName(reader, section.Path + ":Agent", agents, null);
            options.Accounts[section.Key] = account;
        }

        // The channel checks itself, in the same form.
        if (new BncrOptionsValidator().Validate(null, options) is { Failed: true } faults)
        {
            foreach (var fault in faults.Failures) reader.Problem(fault);
        }

        return options;
    }
}
