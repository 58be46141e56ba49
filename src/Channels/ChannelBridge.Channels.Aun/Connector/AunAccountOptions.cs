namespace ChannelBridge.Channels.Aun;

/// <summary>An identity on somebody's gateway (<c>Channels:Aun:Accounts:ID</c>).</summary>
public sealed class AunAccountOptions
{
    /// <summary>False: the account rests. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The AID, e.g. <c>bot.agentid.pub</c>.</summary>
    public string? Aid { get; set; }

    /// <summary>The folder of identities, as the SDKs have it; null: <c>~/.aun</c>. Several AIDs may share one.</summary>
    public string? AunPath { get; set; }

    /// <summary>The root certificates of the gateway's PKI: a PEM file, or a folder of such. Nobody else's word counts for who the gateway and the senders are.</summary>
    public string? RootCaPath { get; set; }

    /// <summary>What protects the key at rest; null: what <see cref="SeedPasswordFile"/> has, else the folder's <c>.seed</c>.</summary>
    public string? SeedPassword { get; set; }

    /// <summary>A file with the same.</summary>
    public string? SeedPasswordFile { get; set; }

    /// <summary>The gateway's WebSocket; null: it is discovered by the AID's name.</summary>
    public string? GatewayUrl { get; set; }

    /// <summary>The port of discovery; null: 443.</summary>
    public int? DiscoveryPort { get; set; }

    /// <summary>Tells instances of one device apart. Default empty.</summary>
    public string SlotId { get; set; } = "";

    /// <summary>How the gateway delivers; all connections of an AID say the same. Default <c>fanout</c>.</summary>
    public AunDeliveryMode DeliveryMode { get; set; } = AunDeliveryMode.Fanout;

    /// <summary>With <c>queue</c>: who gets a message. Default <c>round_robin</c>.</summary>
    public AunRouting Routing { get; set; } = AunRouting.RoundRobin;

    /// <summary>With <c>sender_affinity</c>: for how long a sender stays with an instance. Default 5 minutes.</summary>
    public TimeSpan AffinityTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>False: messages are sent as plain text. Default true: sealed, or not at all.</summary>
    public bool Encrypt { get; set; } = true;

    /// <summary>False: an AID that isn't in the folder is an error, and isn't registered. Default true.</summary>
    public bool Create { get; set; } = true;

    /// <summary>The agent that answers; null: the host's.</summary>
    public string? Agent { get; set; }

    /// <summary>True for a command that sends and ends: it takes nobody's slot, and leaves the device's prekey as it is.</summary>
    internal bool IsShort { get; set; }
}

/// <summary>How a gateway delivers an AID's messages.</summary>
public enum AunDeliveryMode
{
    /// <summary>To every connection.</summary>
    Fanout,

    /// <summary>To one of them.</summary>
    Queue,
}

/// <summary>Which one that is.</summary>
public enum AunRouting
{
    /// <summary>One after the other.</summary>
    RoundRobin,

    /// <summary>The one that had the sender's last.</summary>
    SenderAffinity,
}

/// <summary>What all accounts of the connector have in common (<c>Channels:Aun:Connector</c>).</summary>
public sealed class AunConnectorOptions
{
    /// <summary>How often the gateway is pinged; two pings without an answer end the connection. Zero: never. Default 30 s.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The wait before the first reconnect; it doubles. Default 1 s.</summary>
    public TimeSpan ReconnectBaseDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The same where the gateway itself has closed. Default 16 s.</summary>
    public TimeSpan ReconnectAfterClose { get; set; } = TimeSpan.FromSeconds(16);

    /// <summary>The longest wait. Default 64 s.</summary>
    public TimeSpan ReconnectMaxDelay { get; set; } = TimeSpan.FromSeconds(64);

    /// <summary>How long connecting may take, the challenge included. Default 15 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long the gateway may take to answer a call. Default 35 s, as in the SDKs.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(35);

    /// <summary>So long before its end a token is renewed. Default 30 minutes.</summary>
    public TimeSpan RefreshBefore { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>How often tokens and prekeys are looked at.</summary>
    internal TimeSpan Upkeep { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest message that the gateway may send. Default 4 MiB.</summary>
    public int MaxMessageBytes { get; set; } = 4 << 20;
}
