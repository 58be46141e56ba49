namespace ChannelBridge.Channels.A2A;

/// <summary>Settings of the A2A channel (<c>Channels:A2A</c>).</summary>
public sealed class A2AOptions
{
    /// <summary>The section that the host binds: <c>Channels:A2A</c>.</summary>
    public const string Section = "Channels:A2A";

    /// <summary>False: no endpoint answers. Default true: a peer needs a token anyway.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The agent that answers where a request names no tenant. Default <c>echo</c>; the host's own default goes before.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>The agents that peers may ask for as tenants, each a skill of the card; empty (default): only <see cref="Agent"/>.</summary>
    public IReadOnlyList<string> Expose { get; set; } = [];

    /// <summary>Where peers reach this host, e.g. <c>https://bridge.example.org</c>. Null (default): the address by which a request for the card comes in.</summary>
    public string? SelfUrl { get; set; }

    /// <summary>The card's name. Default <c>ChannelBridge</c>; a channel that has a profile may say another.</summary>
    public string Name { get; set; } = "ChannelBridge";

    /// <summary>The card's description.</summary>
    public string Description { get; set; } = "An agent behind ChannelBridge";

    /// <summary>Messages that a peer may send in a minute. Default 60.</summary>
    public int SendsPerMinute { get; set; } = 60;

    /// <summary>Other calls that a peer may make in a minute. Default 1,200.</summary>
    public int ReadsPerMinute { get; set; } = 1200;

    /// <summary>Tasks of one peer; the oldest ended ones go first. Default 10,000.</summary>
    public int MaxTasksPerPeer { get; set; } = 10_000;

    /// <summary>Tasks of all peers. Default 100,000.</summary>
    public int MaxTasks { get; set; } = 100_000;

    /// <summary>How long a task is kept after its end. Default 7 days.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>The largest artifacts of one task together. Default 32 MiB.</summary>
    public long MaxArtifactBytes { get; set; } = 32L * 1024 * 1024;

    /// <summary>Files up to this size travel inside a message; larger ones lie in the spool. Default 256 KiB.</summary>
    public int InlineBytes { get; set; } = 256 * 1024;

    /// <summary>
    /// Where push notifications may go: <c>public</c>, and networks such as <c>10.1.0.0/16</c>. Default <c>public</c>; more than that is written out, <c>public</c> included.
    /// </summary>
    public IReadOnlyList<string> Networks { get; set; } = ["public"];

    /// <summary>How long the receiver of a push notification may take to answer. Default 15 s.</summary>
    public TimeSpan PushTimeout { get; set; } = TimeSpan.FromSeconds(15);
}
