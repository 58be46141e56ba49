using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.Aun.Connector;
using ChannelBridge.Channels.Aun.Endpoint;

namespace ChannelBridge.Channels.Aun;

internal static partial class AunSettings
{
    // No fields: those of the other part of the class are made first.
    private static TimeSpan Tenth => TimeSpan.FromMilliseconds(100);

    private static TimeSpan Hour => TimeSpan.FromHours(1);

    static partial void AddConnector(ChannelSettings<AunOptions> settings) => settings
        .WithDefaults(static (options, reader) => options.Agent = reader.DefaultAgent)
        .WithAccounts<AunAccountOptions>(Account, static options => options.Accounts)
        .WithMending(static (options, _) =>
        {
            foreach (var (id, account) in options.Accounts) account.Aid ??= AidName.IsSound(id.ToLowerInvariant()) ? id.ToLowerInvariant() : null;
        })
        .WithCheck(new ConnectorValidator());

    static partial void AddConnectorKeys(SettingGroup<AunOptions> keys) => keys
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers messages to the connector's accounts")
        .Flag("RequireForwardSecrecy", o => o.RequireForwardSecrecy, (o, v) => o.RequireForwardSecrecy = v,
            "False: to a receiver without prekeys messages are sealed with the identities' keys alone; else they aren't sent")
        .Duration("Connector:Heartbeat", TimeSpan.Zero, Hour, o => o.Connector.Heartbeat, (o, v) => o.Connector.Heartbeat = v,
            "How often a gateway is pinged, two pings without an answer end the connection; `0ms`: never")
        .Duration("Connector:ReconnectBaseDelay", TimeSpan.FromMilliseconds(1), Hour, o => o.Connector.ReconnectBaseDelay, (o, v) => o.Connector.ReconnectBaseDelay = v,
            "The wait before the first reconnect; it doubles with each failure")
        .Duration("Connector:ReconnectAfterClose", TimeSpan.FromMilliseconds(1), Hour, o => o.Connector.ReconnectAfterClose, (o, v) => o.Connector.ReconnectAfterClose = v,
            "The same where the gateway itself has closed the connection with a code of its own")
        .Duration("Connector:ReconnectMaxDelay", TimeSpan.FromMilliseconds(1), Hour, o => o.Connector.ReconnectMaxDelay, (o, v) => o.Connector.ReconnectMaxDelay = v,
            "The longest wait")
        .Duration("Connector:ConnectTimeout", Tenth, Hour, o => o.Connector.ConnectTimeout, (o, v) => o.Connector.ConnectTimeout = v,
            "How long connecting to a gateway may take, its challenge included")
        .Duration("Connector:CallTimeout", Tenth, Hour, o => o.Connector.CallTimeout, (o, v) => o.Connector.CallTimeout = v, "How long a gateway may take to answer a call")
        .Duration("Connector:RefreshBefore", TimeSpan.Zero, TimeSpan.FromDays(1), o => o.Connector.RefreshBefore, (o, v) => o.Connector.RefreshBefore = v,
            "So long before its end a token is renewed")
        .Size("Connector:MaxMessageBytes", 64 * 1024, 256L << 20, o => o.Connector.MaxMessageBytes, (o, v) => o.Connector.MaxMessageBytes = (int)v,
            "The largest message that a gateway may send");

    private static void Account(SettingGroup<AunAccountOptions> keys) => keys
        .Flag("Enabled", o => o.Enabled, (o, v) => o.Enabled = v, "False: the account rests")
        .Text("Aid", o => o.Aid, (o, v) => o.Aid = v, "The AID that this account is on its gateway; none: the account's id, if that is one", "bot.agentid.pub")
        .Text("AunPath", o => o.AunPath, (o, v) => o.AunPath = SettingText.FullPath(v), "The folder of identities, as the SDKs have it; none: `~/.aun`", "~/.aun/myapp")
        .Text("RootCaPath", o => o.RootCaPath, (o, v) => o.RootCaPath = SettingText.FullPath(v),
            "The root certificates of the gateway's PKI: a PEM file, or a folder of such", "/etc/channelbridge/aun-root.pem")
        .Text("SeedPassword", o => o.SeedPassword, (o, v) => o.SeedPassword = v, "What protects the key at rest; none: the folder's `.seed`", "correct horse", isSecret: true)
        .Text("SeedPasswordFile", o => o.SeedPasswordFile, (o, v) => o.SeedPasswordFile = SettingText.FullPath(v), "A file with the same", "/run/secrets/aun-seed")
        .Text("GatewayUrl", o => o.GatewayUrl, (o, v) => o.GatewayUrl = v, "The gateway's WebSocket; none: it is discovered by the AID's name", "wss://gateway.agentid.pub/aun")
        .Number("DiscoveryPort", 1, 65535, o => o.DiscoveryPort ?? 443, (o, v) => o.DiscoveryPort = (int)v, "The port of discovery")
        .Text("SlotId", o => o.SlotId, (o, v) => o.SlotId = v, "Tells instances of one device apart", "slot-a")
        .Choice<AunDeliveryMode>("DeliveryMode", o => o.DeliveryMode, (o, v) => o.DeliveryMode = v, "How the gateway delivers; all connections of an AID say the same")
        .Choice<AunRouting>("Routing", o => o.Routing, (o, v) => o.Routing = v, "With `queue`: which connection gets a message")
        .Duration("AffinityTime", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), o => o.AffinityTime, (o, v) => o.AffinityTime = v,
            "With `senderaffinity`: how long a sender stays with an instance")
        .Flag("Encrypt", o => o.Encrypt, (o, v) => o.Encrypt = v, "False: messages are sent as plain text; else sealed, or not at all")
        .Flag("Create", o => o.Create, (o, v) => o.Create = v, "False: an AID that isn't in the folder is an error, and isn't registered")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers messages to this account", "Channels:Aun:Agent");
}
