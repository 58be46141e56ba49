namespace ChannelBridge.Channels.InstaClaw;

/// <summary>Settings of the InstaClaw channel (<c>Channels:InstaClaw</c>).</summary>
public sealed class InstaClawOptions
{
    /// <summary>The section that the host binds: <c>Channels:InstaClaw</c>.</summary>
    public const string Section = "Channels:InstaClaw";

    /// <summary>Whether the channel runs. Null (default): it does when <see cref="WsUrl"/> or that of an account is named.</summary>
    public bool? Enabled { get; set; }

    /// <summary>The platform's broker, e.g. <c>wss://claw.example.com/ws/chat</c>. <c>ws://</c> only to loopback, or with <see cref="AllowPlaintext"/>.</summary>
    public string? WsUrl { get; set; }

    /// <summary>Where the platform registers an identity. Null: <c>/profiles/create</c> at the broker's host.</summary>
    public string? ProfileCreateUrl { get; set; }

    /// <summary>The task pool's API. Null: the broker's host.</summary>
    public string? TaskApiBaseUrl { get; set; }

    /// <summary>Where artifacts are posted. Null: <c>/artifact/upload-and-bind</c> at the broker's host.</summary>
    public string? ArtifactUploadAndBindUrl { get; set; }

    /// <summary>The task list's path under <see cref="TaskApiBaseUrl"/>.</summary>
    public string TaskListPath { get; set; } = "/tasks";

    /// <summary>The path by which a task is taken; <c>{task_id}</c> stands for its id.</summary>
    public string GrabTaskPath { get; set; } = "/tasks/{task_id}/grab";

    /// <summary>The path to which a result is posted; <c>{task_id}</c> stands for the task's id.</summary>
    public string DeliverablePath { get; set; } = "/tasks/{task_id}/deliverables";

    /// <summary>How a file that the platform names by id is fetched: a URL with <c>{file_id}</c>. Null: the agent is told the id only.</summary>
    public string? FileUrlTemplate { get; set; }

    /// <summary>Allows <c>ws://</c> and <c>http://</c> to other machines, where secrets and messages can be read on the way. Default false.</summary>
    public bool AllowPlaintext { get; set; }

    /// <summary>The folder that holds <c>.insta</c>; further accounts have theirs in <c>accounts/ID</c> below it. The host sets its data folder.</summary>
    public string BaseFolder { get; set; } = "";

    /// <summary>The agent that answers. Default <c>echo</c>; the host sets its default agent.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>
    /// What the agent is told beside each message. Null (default): the built-in text; <c>off</c>: nothing. <c>{account}</c>, <c>{session}</c>, <c>{name}</c>,
    /// <c>{description}</c>, <c>{identity}</c> and <c>{tools}</c> (what the task pool's tools are for) are filled in.
    /// </summary>
    public string? Instructions { get; set; }

    /// <summary>How often the connection is pinged. Default 30 s.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Pings in a row without any sign of life after which the connection is closed. Default 3.</summary>
    public int MaxMissedPongs { get; set; } = 3;

    /// <summary>Silence after which the connection is closed even before <see cref="MaxMissedPongs"/>; zero (default): the missed pongs alone decide.</summary>
    public TimeSpan TimeoutThreshold { get; set; }

    /// <summary>What a ping is on the wire. Default: a WebSocket ping frame.</summary>
    public PingKind Ping { get; set; } = PingKind.Frame;

    /// <summary>How long one attempt to connect may take. Default 15 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The ceiling of the wait before the first reconnect; it doubles with each failure. Default 1 s.</summary>
    public TimeSpan ReconnectBaseDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The highest ceiling. Default 30 s.</summary>
    public TimeSpan ReconnectMaxDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a connection must have held for the back-off to begin anew. Default 30 s.</summary>
    public TimeSpan StableAfter { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Requests of an account that run at once. Default 10.</summary>
    public int MaxConcurrentRequests { get; set; } = 10;

    /// <summary>Requests of an account that may wait behind them; one more is answered <c>too_many_requests</c>. Default 100.</summary>
    public int MaxQueuedRequests { get; set; } = 100;

    /// <summary>How long a request may take, waiting included. Default 12 h.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromHours(12);

    /// <summary>The most graphemes of one text delta. Default 50.</summary>
    public int DeltaGraphemes { get; set; } = 50;

    /// <summary>How long a delta that isn't full waits for more text. Default 100 ms.</summary>
    public TimeSpan DeltaDelay { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>What becomes of running requests when the connection is lost. Default: they go on.</summary>
    public DisconnectMode OnDisconnect { get; set; } = DisconnectMode.Continue;

    /// <summary>How long a <c>messageId</c> is remembered. Default 30 days.</summary>
    public TimeSpan DedupeWindow { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long a session that is silent keeps its conversation. Default 30 days.</summary>
    public TimeSpan SessionTimeToLive { get; set; } = TimeSpan.FromDays(30);

    /// <summary>The largest message that the platform may send. Default 8 MiB.</summary>
    public int MaxMessageBytes { get; set; } = 8 << 20;

    /// <summary>How often the profile is looked for. Default 10 s.</summary>
    public TimeSpan ProfilePollInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>True (default): without a profile the agent is asked to propose one.</summary>
    public bool AutoPropose { get; set; } = true;

    /// <summary>How long a cancelled proposal stays cancelled before the agent is asked again. Default 60 s.</summary>
    public TimeSpan ReproposeDelay { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the agent may take over a proposal. Default 5 minutes.</summary>
    public TimeSpan ProposeTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a call to the platform may take; an upload has ten times that. Default 30 s.</summary>
    public TimeSpan HttpTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Folders from which artifacts may be posted. Empty: <c>.insta/artifacts</c> of the account.</summary>
    public IList<string> ArtifactRoots { get; set; } = [];

    /// <summary>
    /// Files and folders that are never posted, wherever <see cref="ArtifactRoots"/> lead; an account's own <c>.insta/artifacts</c> is. The host
    /// names its own secrets.
    /// </summary>
    public IList<string> RefusedArtifacts { get; set; } = [];

    /// <summary>The largest artifact. Default 100 MiB.</summary>
    public long MaxArtifactBytes { get; set; } = 100L << 20;

    /// <summary>The accounts; none means one, <c>default</c>. Ids are case-insensitive; their case here is the one that is shown.</summary>
    public IDictionary<string, InstaClawAccountOptions> Accounts { get; set; } =
        new Dictionary<string, InstaClawAccountOptions>(StringComparer.OrdinalIgnoreCase);

    /// <summary>True when the channel is to run.</summary>
    public bool IsOn => Enabled ?? (WsUrl is not null || Accounts.Values.Any(account => account.WsUrl is not null));
}

/// <summary>What differs for one account (<c>Channels:InstaClaw:Accounts:ID</c>). What is null follows <see cref="InstaClawOptions"/>.</summary>
public sealed class InstaClawAccountOptions
{
    /// <summary>False: the account neither connects nor registers. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Overrides <see cref="InstaClawOptions.WsUrl"/>.</summary>
    public string? WsUrl { get; set; }

    /// <summary>The folder that holds the account's <c>.insta</c>.</summary>
    public string? BaseFolder { get; set; }

    /// <summary>Overrides <see cref="InstaClawOptions.Agent"/>.</summary>
    public string? Agent { get; set; }
}

/// <summary>What a ping is on the wire. Whatever is chosen, pings of both kinds from the platform are answered.</summary>
public enum PingKind
{
    /// <summary>A WebSocket ping frame, which every WebSocket server answers by itself.</summary>
    Frame,

    /// <summary>A message of type <c>PING</c>, answered by one of type <c>PONG</c>.</summary>
    Message,

    /// <summary>Both.</summary>
    Both,
}

/// <summary>What becomes of running requests when the connection is lost.</summary>
public enum DisconnectMode
{
    /// <summary>They go on; their events are kept and sent when the connection is back.</summary>
    Continue,

    /// <summary>They are cancelled; the platform learns that when the connection is back.</summary>
    Cancel,
}
