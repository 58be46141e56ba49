using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Channels.Aun;

/// <summary>What stands under <c>Channels:Aun</c>; the connector's keys are beside it.</summary>
internal static partial class AunSettings
{
    /// <summary>The channel's settings.</summary>
    public static readonly ChannelSettings<AunOptions> All = Make();

    // The connector's file adds its accounts here.
    static partial void AddConnector(ChannelSettings<AunOptions> settings);

    static partial void AddConnectorKeys(SettingGroup<AunOptions> keys);

    private static ChannelSettings<AunOptions> Make()
    {
        var settings = new ChannelSettings<AunOptions>("Aun", Channel)
            .WithDefaults(static (options, reader) => options.PkiFolder = reader.Facts.DataDirectory is { } data ? Path.Combine(data, "aun") : null)
            .WithNamed<AunAgent>("Agents", static keys => keys.Agent("", static (o, v) => o.Name = v, "The agent of this host that is this AID", "none"),
                static (options, aid, agent) =>
                {
                    if (agent.Name is { } name) options.Agents[aid.ToLowerInvariant()] = name;
                })
            .WithCheck(new AunOptionsValidator());
        AddConnector(settings);
        return settings;
    }

    private static void Channel(SettingGroup<AunOptions> keys)
    {
        keys
            .Flag("Enabled", o => o.IsEndpointOn, (o, v) => o.Enabled = v, "Whether the endpoint runs; on by itself as soon as an issuer or an agent is named")
            .List("Issuers", (o, v) => o.Issuers = v, "The issuers under which names are given out; none: those of the agents' AIDs", "agentid.pub")
            .Duration("ChallengeDelay", TimeSpan.Zero, TimeSpan.FromSeconds(5), o => o.ChallengeDelay, (o, v) => o.ChallengeDelay = v,
                "How long after the upgrade the challenge is sent; the SDKs lose one that comes at once")
            .Duration("AuthTimeout", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), o => o.AuthTimeout, (o, v) => o.AuthTimeout = v, "How long a client has to authenticate")
            .Duration("HeartbeatInterval", TimeSpan.Zero, TimeSpan.FromMinutes(10), o => o.HeartbeatInterval, (o, v) => o.HeartbeatInterval = v,
                "How often long connections are asked to ping; `0ms`: not")
            .Choice<SlotConflict>("SlotConflict", o => o.SlotConflict, (o, v) => o.SlotConflict = v,
                "What a second long connection of a slot does: the first is closed, or the second refused")
            .Choice<RegistrationMode>("Registration", o => o.Registration, (o, v) => o.Registration = v,
                "Who may register an AID; unset: whoever calls by loopback, else nobody")
            .Number("RegistrationsPerMinute", 1, 1_000_000, o => o.RegistrationsPerMinute, (o, v) => o.RegistrationsPerMinute = (int)v,
                "Registrations of one address in a minute; twenty times as many by loopback")
            .Number("MaxIdentities", 1, 100_000_000, o => o.MaxIdentities, (o, v) => o.MaxIdentities = v, "Identities that may be registered in all")
            .Number("SendsPerMinute", 0, 100_000_000, o => o.SendsPerMinute, (o, v) => o.SendsPerMinute = (int)v,
                "Messages that one identity may send in a minute, loopback excepted; 0: any number")
            .Duration("MessageTimeToLive", TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), o => o.MessageTimeToLive, (o, v) => o.MessageTimeToLive = v,
                "How long messages are kept for who is away")
            .Number("MaxWaiting", 1, 100_000_000, o => o.MaxWaiting, (o, v) => o.MaxWaiting = v, "Messages that may wait for one identity")
            .Flag("DurableQueues", o => o.DurableQueues, (o, v) => o.DurableQueues = v,
                "True: messages of the mode `queue` are kept as long as others; else 5 minutes, and the newest 200")
            .Duration("AccessTokenTime", TimeSpan.FromMinutes(1), TimeSpan.FromDays(1), o => o.AccessTokenTime, (o, v) => o.AccessTokenTime = v, "How long an access token holds")
            .Duration("RefreshTokenTime", TimeSpan.FromHours(1), TimeSpan.FromDays(366), o => o.RefreshTokenTime, (o, v) => o.RefreshTokenTime = v,
                "How long a refresh token holds that isn't used")
            .Text("PkiFolder", o => o.PkiFolder, (o, v) => o.PkiFolder = SettingText.FullPath(v),
                "The folder with the root, the issuer and the keys, which several hosts share; none: `aun` in the data folder", "/var/lib/channelbridge/aun")
            .Text("GatewayUrl", o => o.GatewayUrl, (o, v) => o.GatewayUrl = v,
                "The address of the WebSocket as discovery tells it; none: by the address that was asked", "wss://gateway.example.org/aun");
        AddConnectorKeys(keys);
    }
}

/// <summary>What stands under <c>Channels:Aun:Agents:&lt;aid&gt;</c>.</summary>
internal sealed class AunAgent
{
    /// <summary>The agent's name.</summary>
    public string? Name { get; set; }
}
