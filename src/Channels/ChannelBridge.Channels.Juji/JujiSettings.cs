using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Channels.Juji;

/// <summary>What stands under <c>Channels:Juji</c>.</summary>
internal static class JujiSettings
{
    private static readonly TimeSpan Tenth = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    /// <summary>The channel's settings. Of the skill's variables only the address is known here; the others are each account's, see <c>SkillVariables</c>.</summary>
    public static readonly ChannelSettings<JujiOptions> All = new ChannelSettings<JujiOptions>("Juji", Channel)
        .WithDefaults(static (options, reader) => options.Agent = reader.DefaultAgent)
        .WithAccounts<JujiAccountOptions>(Account, static options => options.Accounts)
        .WithAccountParts<JujiAccountOptions, JujiRouteOptions>("Routes", Route, static options => options.Accounts, static account => account.Routes)
        .WithAccountKey(AccountIds.Key)
        .WithAlias("JUJI_BASE_URL", "BaseUrl")
        .WithAlias("JUJI_WS_MAX_CONNECTIONS_PER_AGENT", "Endpoint:MaxConnectionsPerAgent")
        .WithCheck(new JujiOptionsValidator());

    /// <summary>How pushes of the endpoint are delivered: to members that never ack, for as long as they are kept.</summary>
    public static readonly ChannelSettings<EndpointDelivery> Delivery = new ChannelSettings<EndpointDelivery>("Juji-Endpoint", static _ => { })
        .WithDelivery(static reader => new DeliveryPolicy
        {
            TimeToLive = reader.Duration(
                "Channels:Juji:OfflinePushes", new JujiOptions().OfflinePushes, TimeSpan.FromSeconds(1), TimeSpan.FromDays(366),
                    SettingText.FormatDuration(new JujiOptions().OfflinePushes)),
        });

    private static void Channel(SettingGroup<JujiOptions> keys) => keys
        .Flag("Enabled", o => o.IsOn, (o, v) => o.Enabled = v, "Whether the connector runs; on by itself as soon as a BaseUrl or an account is named")
        .Text("BaseUrl", o => o.BaseUrl, (o, v) => o.BaseUrl = v,
            "The community's address; none: `JUJI_BASE_URL` of the account's `.env`, else `https://juji.hnzita.com`", "https://juji.example.org")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that hears pushes")
        .Duration("Heartbeat", TimeSpan.Zero, Hour, o => o.Heartbeat ?? TimeSpan.FromSeconds(25), (o, v) => o.Heartbeat = v,
            "How often `ping` is sent, `0ms`: never; `JUJI_SKILL_WS_HEARTBEAT_SEC` stands for it")
        .Duration("ReconnectBaseDelay", Tenth, Hour, o => o.ReconnectBaseDelay, (o, v) => o.ReconnectBaseDelay = v,
            "The ceiling of the wait before the first reconnect; it doubles with each failure")
        .Duration("ReconnectMaxDelay", TimeSpan.FromSeconds(1), Hour, o => o.ReconnectMaxDelay ?? TimeSpan.FromSeconds(90), (o, v) => o.ReconnectMaxDelay = v,
            "The highest ceiling of that wait; `JUJI_SKILL_WS_BACKOFF_MAX_SEC` stands for it")
        .Duration("StableAfter", TimeSpan.Zero, Hour, o => o.StableAfter, (o, v) => o.StableAfter = v,
            "How long a connection must have held for the back-off to begin anew")
        .Duration("ConnectTimeout", Tenth, Hour, o => o.ConnectTimeout, (o, v) => o.ConnectTimeout = v, "How long connecting may take, the first frame included")
        .Duration("CallTimeout", Tenth, Hour, o => o.CallTimeout, (o, v) => o.CallTimeout = v, "How long a call waits for its answer, reconnects included")
        .Duration("RequestTimeout", Tenth, Hour, o => o.RequestTimeout, (o, v) => o.RequestTimeout = v, "How long a request over HTTP may take")
        .Duration("CapabilitiesTimeout", Tenth, Hour, o => o.CapabilitiesTimeout, (o, v) => o.CapabilitiesTimeout = v, "The same for the community's capabilities")
        .Duration("CapabilitiesKept", TimeSpan.Zero, TimeSpan.FromDays(1), o => o.CapabilitiesKept, (o, v) => o.CapabilitiesKept = v,
            "How long capabilities, actions and topics are kept before they are asked for again")
        .Number("MaxPendingCalls", 1, 1_000_000, o => o.MaxPendingCalls, (o, v) => o.MaxPendingCalls = (int)v, "Calls of an account that may wait for answers")
        .Size("MaxMessageBytes", 1024, 256L << 20, o => o.MaxMessageBytes, (o, v) => o.MaxMessageBytes = (int)v, "The largest frame that the community may send")
        .Duration("OfflinePushes", TimeSpan.FromSeconds(1), TimeSpan.FromDays(366), o => o.OfflinePushes, (o, v) => o.OfflinePushes = v,
            "How long pushes of the endpoint wait for members that aren't connected")
        .Flag("Endpoint:Enabled", o => o.Endpoint.Enabled, (o, v) => o.Endpoint.Enabled = v, "True: agents may register and connect below `/juji`")
        .Agent("Endpoint:Agent", (o, v) => o.Endpoint.Agent = v,
            "The agent of this host that is a member and answers who writes to it", "none")
        .Text("Endpoint:Name", o => o.Endpoint.Name, (o, v) => o.Endpoint.Name = v, "Its name there", "The shop's helper")
        .Number("Endpoint:MaxConnectionsPerAgent", 1, 1000, o => o.Endpoint.MaxConnectionsPerAgent, (o, v) => o.Endpoint.MaxConnectionsPerAgent = (int)v,
            "Connections that one agent may have at once")
        .Number("Endpoint:MaxAgents", 1, 10_000_000, o => o.Endpoint.MaxAgents, (o, v) => o.Endpoint.MaxAgents = (int)v, "Agents that may register in all")
        .Flag("Endpoint:OpenSend", o => o.Endpoint.OpenSend, (o, v) => o.Endpoint.OpenSend = v,
            "True: anybody may use `/message/send` and `/message/channels`, for which a token with the scope `operator.write` is needed else")
        .List("Endpoint:Topics", (o, v) => o.Endpoint.Topics = v,
            "The topics that members may unsubscribe from; none: those of the public community", "content.published, task.published")
        .Duration("Endpoint:SettleTime", TimeSpan.Zero, TimeSpan.FromMinutes(1), o => o.Endpoint.SettleTime, (o, v) => o.Endpoint.SettleTime = v,
            "How long after its beginning a connection is told what waited; short commands swallow nothing by that")
        .Duration("Endpoint:ActionTimeout", Tenth, Hour, o => o.Endpoint.ActionTimeout, (o, v) => o.Endpoint.ActionTimeout = v,
            "How long an action may take before it is answered with an error");

    private static void Account(SettingGroup<JujiAccountOptions> keys) => keys
        .Flag("Enabled", o => o.Enabled, (o, v) => o.Enabled = v, "False: the account rests")
        .Text("BaseUrl", o => o.BaseUrl, (o, v) => o.BaseUrl = v, "The community's address; none: the channel's", "https://juji.example.org")
        .Text("Name", o => o.Name, (o, v) => o.Name = v, "The name under which the agent registers; none: `JUJI_AGENT_NAME`", "The shop's helper")
        .Text("WalletAddress", o => o.WalletAddress, (o, v) => o.WalletAddress = v, "Its wallet; none: `JUJI_AGENT_WALLET_ADDRESS`", "0x52908400098527886E0F7030069857D2E4169EE7")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that hears this account's pushes", "as the channel")
        .Text("EnvFile", o => o.EnvFile, (o, v) => o.EnvFile = SettingText.FullPath(v),
            "The file with the account's variables, its key and its token; none: the environment, `~/.juji/.env` and `~/.openclaw/.env`, which one account may use",
            "/var/lib/channelbridge/juji/shop.env");

    private static void Route(SettingGroup<JujiRouteOptions> keys) => keys
        .List("Topics", (o, v) => o.Topics = v, "Which pushes: their topics, `*` at the end for whatever follows; none: all", "governance.*, content.published")
        .List("Events", (o, v) => o.Events = v, "Their events, in the same way; none: all", "proposal.created")
        .List("Variants", (o, v) => o.Variants = v, "Their variants; none: `public` and those that have none. A `direct` push takes only routes that list it", "public, direct")
        .Text("To", o => o.To, (o, v) => o.To = v, "`agent`, `drop`, or a target of another channel", "bncr:qq:10001:20002")
        .Text("Answer", o => o.Answer, (o, v) => o.Answer = v, "With `agent`: where its answer goes; none: it is kept and sent to nobody", "bncr/shop:qq:10001:20002")
        .List("Data", (o, v) => o.Data = v, "With a target: which members of `data` are told besides title and message", "proposal_id, title");
}

/// <summary>The endpoint has no keys of its own but those of delivery.</summary>
internal sealed class EndpointDelivery;
