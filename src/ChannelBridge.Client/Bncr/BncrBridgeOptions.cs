namespace ChannelBridge.Client.Bncr;

/// <summary>How a bridge works.</summary>
public sealed class BncrBridgeOptions
{
    /// <summary>How the host is reached.</summary>
    public ChannelBridgeClientOptions Connection { get; set; } = new();

    /// <summary>The account. Default <c>Primary</c>.</summary>
    public string AccountId { get; set; } = "Primary";

    /// <summary>The bridge's own name, which the agent sees as the sender's client. Keep it stable over restarts. Default <c>bridge</c>.</summary>
    public string BridgeId { get; set; } = "bridge";

    /// <summary>How often the host is told that the bridge is alive; the host counts one as offline after 120 s. Default 30 s.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The longest wait between two tries of a message that wasn't accepted yet. Default 15 s.</summary>
    public TimeSpan MaxResendDelay { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Pushes that are remembered, so that one that comes again isn't shown twice, 1…1,048,576. Default 10,000.</summary>
    public int RememberedPushes { get; set; } = 10_000;

    /// <summary>Conversations that <see cref="BncrBridgeClient.RunAsync"/> works on at the same time, 1…1,024. Default 16.</summary>
    public int Concurrency { get; set; } = 16;

    /// <summary>
    /// Where files that the agent sends are put; the push that follows names the file by its path. What has arrived survives a restart. Null (default): the
    /// bridge handles the events <c>bncr.file.*</c> itself, from <see cref="BncrBridgeClient.Client"/>.
    /// </summary>
    public string? FilesFolder { get; set; }

    /// <summary>Told how far an arriving file is, after each chunk; from the client's own loop: return quickly.</summary>
    public Action<BncrFileProgress>? FileProgress { get; set; }

    internal IReadOnlyList<string> Validate()
    {
        var problems = new List<string>();
        if (Connection is null) problems.Add("Connection: must not be null");
        else problems.AddRange(Connection.Validate().Select(problem => "Connection." + problem));
        if (string.IsNullOrWhiteSpace(AccountId)) problems.Add("AccountId: must not be empty; example: Primary");
        if (string.IsNullOrWhiteSpace(BridgeId)) problems.Add("BridgeId: must not be empty; example: my-bridge");
        if (Heartbeat < TimeSpan.FromSeconds(1) || Heartbeat > TimeSpan.FromSeconds(110)) problems.Add("Heartbeat: must be between 1 s and 110 s; example: 00:00:30");
        if (MaxResendDelay <= TimeSpan.Zero || MaxResendDelay > TimeSpan.FromHours(1)) problems.Add("MaxResendDelay: must be above zero and at most an hour; example: 00:00:15");
        if (RememberedPushes is < 1 or > 1 << 20) problems.Add("RememberedPushes: must be between 1 and 1048576");
        if (Concurrency is < 1 or > 1024) problems.Add("Concurrency: must be between 1 and 1024");
        return problems;
    }
}
