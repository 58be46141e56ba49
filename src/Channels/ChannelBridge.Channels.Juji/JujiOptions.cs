namespace ChannelBridge.Channels.Juji;

/// <summary>Settings of the Juji channel (<c>Channels:Juji</c>).</summary>
public sealed class JujiOptions
{
    /// <summary>The section that the host binds: <c>Channels:Juji</c>.</summary>
    public const string Section = "Channels:Juji";

    /// <summary>The community where none is named.</summary>
    public const string PublicCommunity = "https://juji.hnzita.com";

    /// <summary>Whether the connector runs. Null (default): when a <see cref="BaseUrl"/> or an account is named.</summary>
    public bool? Enabled { get; set; }

    /// <summary>
    /// The community's address, http or https, for accounts that name none. Null (default): <c>JUJI_BASE_URL</c> of the account's <c>.env</c>, else the public one.
    /// </summary>
    public string? BaseUrl { get; set; }

    /// <summary>The agent that hears pushes. Default <c>echo</c>; the host's own default goes before.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>How often <c>ping</c> is sent; zero: never. Null (default): <c>JUJI_SKILL_WS_HEARTBEAT_SEC</c>, else 25 s.</summary>
    public TimeSpan? Heartbeat { get; set; }

    /// <summary>The ceiling of the wait before the first reconnect; it doubles with each failure. Default 3 s.</summary>
    public TimeSpan ReconnectBaseDelay { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>The highest ceiling of that wait. Null (default): <c>JUJI_SKILL_WS_BACKOFF_MAX_SEC</c>, else 90 s.</summary>
    public TimeSpan? ReconnectMaxDelay { get; set; }

    /// <summary>How long a connection must have held for the back-off to begin anew. Default 30 s.</summary>
    public TimeSpan StableAfter { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long connecting may take, the first frame included. Default 30 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a call waits for its answer, reconnects included. Default 120 s.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>How long a request over HTTP may take. Default 30 s.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The same for the community's capabilities. Default 60 s.</summary>
    public TimeSpan CapabilitiesTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long capabilities, actions and topics are kept before they are asked for again. Default 5 minutes.</summary>
    public TimeSpan CapabilitiesKept { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Calls of an account that may wait for answers. Default 1,000.</summary>
    public int MaxPendingCalls { get; set; } = 1000;

    /// <summary>The largest frame that the community may send, in bytes. Default 4 MiB.</summary>
    public int MaxMessageBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>How long pushes of the endpoint wait for members that aren't connected. Default 7 days.</summary>
    public TimeSpan OfflinePushes { get; set; } = TimeSpan.FromDays(7);

    /// <summary>The community's side: other agents connect to this host.</summary>
    public JujiEndpointOptions Endpoint { get; } = new();

    /// <summary>The accounts by id; empty: one, <c>default</c>.</summary>
    public IDictionary<string, JujiAccountOptions> Accounts { get; } = new Dictionary<string, JujiAccountOptions>(StringComparer.OrdinalIgnoreCase);

    /// <summary>True when the connector runs.</summary>
    public bool IsOn => Enabled ?? (BaseUrl is not null || Accounts.Count > 0);
}
