namespace ChannelBridge.Channels.Aun;

/// <summary>Settings of the AUN channel (<c>Channels:Aun</c>).</summary>
public sealed partial class AunOptions
{
    /// <summary>The section that the host binds: <c>Channels:Aun</c>.</summary>
    public const string Section = "Channels:Aun";

    /// <summary>Whether the endpoint runs. Null (default): when an issuer or an agent is named.</summary>
    public bool? Enabled { get; set; }

    /// <summary>The issuers under which names are given out: <c>agentid.pub</c> for <c>alice.agentid.pub</c>. None: those of <see cref="Agents"/>.</summary>
    public IReadOnlyList<string> Issuers { get; set; } = [];

    /// <summary>Which AID each of this host's agents is: AID to the agent's name.</summary>
    public IDictionary<string, string> Agents { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>How long after the upgrade the challenge is sent. Default 30 ms: SDKs lose one that comes with the upgrade.</summary>
    public TimeSpan ChallengeDelay { get; set; } = TimeSpan.FromMilliseconds(30);

    /// <summary>How long a client has to authenticate. Default 30 s.</summary>
    public TimeSpan AuthTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often long connections are asked to ping; zero: not. Default 30 s.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>What a second long connection of a slot does. Default: the first is closed.</summary>
    public SlotConflict SlotConflict { get; set; }

    /// <summary>Who may register. Null (default): whoever calls by loopback, else nobody.</summary>
    public RegistrationMode? Registration { get; set; }

    /// <summary>Registrations of one address in a minute. Default 600.</summary>
    public int RegistrationsPerMinute { get; set; } = 600;

    /// <summary>Identities that may be registered in all. Default 1,000,000.</summary>
    public long MaxIdentities { get; set; } = 1_000_000;

    /// <summary>Messages that one identity may send in a minute, loopback excepted. Default 60,000; 0: any number.</summary>
    public int SendsPerMinute { get; set; } = 60_000;

    /// <summary>How long messages are kept for who is away. Default 24 h.</summary>
    public TimeSpan MessageTimeToLive { get; set; } = TimeSpan.FromHours(24);

    /// <summary>Messages that may wait for one identity. Default 1,000,000.</summary>
    public long MaxWaiting { get; set; } = 1_000_000;

    /// <summary>True: messages of the mode <c>queue</c> are kept as long as others. Default false: 5 minutes, and the newest 200.</summary>
    public bool DurableQueues { get; set; }

    /// <summary>How long an access token holds. Default 1 h.</summary>
    public TimeSpan AccessTokenTime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long a refresh token that isn't used holds. Default 7 days.</summary>
    public TimeSpan RefreshTokenTime { get; set; } = TimeSpan.FromDays(7);

    /// <summary>The folder with the root, the issuer and the keys; several hosts share one. Null: <c>aun</c> in the data folder.</summary>
    public string? PkiFolder { get; set; }

    /// <summary>The WebSocket's address as <c>/.well-known/aun-gateway</c> tells it; null: by the address that was asked.</summary>
    public string? GatewayUrl { get; set; }

    /// <summary>True when the endpoint runs.</summary>
    public bool IsEndpointOn => Enabled ?? (Issuers.Count > 0 || Agents.Count > 0);

    /// <summary>The issuers under which names are given out, in lower case.</summary>
    internal IReadOnlyList<string> AllIssuers => Issuers.Count > 0
        ? [.. Issuers.Select(static issuer => issuer.ToLowerInvariant()).Distinct()]
        : [.. Agents.Keys.Select(static aid => aid.ToLowerInvariant().Split('.', 2)).Where(static parts => parts.Length == 2).Select(static parts => parts[1]).Distinct()];
}

/// <summary>What becomes of a second long connection of one slot.</summary>
public enum SlotConflict
{
    /// <summary>The first is closed with 4009.</summary>
    Kick,

    /// <summary>The second is refused.</summary>
    Reject,
}

/// <summary>Who may register an AID.</summary>
public enum RegistrationMode
{
    /// <summary>Everybody.</summary>
    Open,

    /// <summary>Who names a code that <c>channelbridge aun pair</c> has made for the AID.</summary>
    Invite,

    /// <summary>Nobody.</summary>
    Closed,
}
