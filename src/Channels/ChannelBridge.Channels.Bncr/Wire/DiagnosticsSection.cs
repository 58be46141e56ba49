namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>The diagnostics of an account, in the existing plugin's shape. Times are Unix milliseconds, null for never; counts are since the start.</summary>
internal sealed record DiagnosticsSection
{
    public required HealthSection Health { get; init; }

    public required RegressionSection Regression { get; init; }

    public required RegisterSection Register { get; init; }

    public required ConnectionSection Connection { get; init; }

    public ProtocolSection Protocol { get; } = new();

    public required StaleSection Stale { get; init; }
}

/// <summary>Whether the account is reached, and how much happened.</summary>
internal sealed record HealthSection(
    bool Connected,
    long Pending,
    int PendingAdmissions,
    long DeadLetter,
    int ActiveConnections,
    long ConnectEvents,
    long InboundEvents,
    long ActivityEvents,
    long AckEvents,
    long UptimeSec);

/// <summary>Leftovers in the state, of which this host has none: keys are checked before they are stored.</summary>
internal sealed record RegressionSection(long TotalKnownRoutes)
{
    public bool PluginFilesPresent { get; init; } = true;

    public bool PluginIndexExists { get; init; } = true;

    public bool PluginChannelExists { get; init; } = true;

    public int InvalidOutboxSessionKeys { get; init; }

    public int LegacyAccountResidue { get; init; }

    public bool Ok { get; init; } = true;
}

/// <summary>Which process answers. A .NET host registers once; the existing plugin's trace of re-registrations is empty here.</summary>
internal sealed record RegisterSection(string BridgeId, int GatewayPid, string PluginVersion, long FirstRegisterAt)
{
    public string Source { get; init; } = "channelbridge";

    public string ApiInstanceId => BridgeId;

    public string RegistryFingerprint => BridgeId;

    public int RegisterCount { get; init; } = 1;

    public long LastRegisterAt => FirstRegisterAt;

    public long? LastApiRebindAt { get; init; }

    public int ApiGeneration { get; init; } = 1;

    public string[] TraceRecent { get; init; } = [];

    public TraceSummary TraceSummary { get; } = new();

    public string? LastDriftSnapshot { get; init; }
}

/// <summary>The summary of an empty trace.</summary>
internal sealed record TraceSummary
{
    public int StartupWindowMs { get; init; } = 30_000;

    public int TraceWindowSize { get; init; }

    public Dictionary<string, int> SourceBuckets { get; init; } = [];

    public string? DominantBucket { get; init; }

    public int WarmupRegisterCount { get; init; } = 1;

    public int PostWarmupRegisterCount { get; init; }

    public bool UnexpectedRegisterAfterWarmup { get; init; }

    public long? LastUnexpectedRegisterAt { get; init; }

    public bool LikelyRuntimeRegistryDrift { get; init; }

    public bool LikelyStartupFanoutOnly { get; init; } = true;
}

/// <summary>The account's clients.</summary>
internal sealed record ConnectionSection(
    int Active,
    string? PrimaryLeaseId,
    long? PrimaryEpoch,
    long AcceptedConnections,
    long? LastConnectAt,
    long? LastDisconnectAt,
    long? LastActivityAt,
    long? LastInboundAt,
    long? LastAckAt,
    IReadOnlyList<RecentLease> Recent);

/// <summary>A live client's lease.</summary>
internal sealed record RecentLease(string? LeaseId, long Epoch, string? ClientId, long ConnectedAt, long? LastActivityAt, bool SeenRecently, bool IsPrimary);

/// <summary>What the protocol can do.</summary>
internal sealed record ProtocolSection
{
    public int BridgeVersion { get; init; } = Versions.Bridge;

    public int ProtocolVersion { get; init; } = Versions.Protocol;

    public int MinClientProtocol { get; init; } = Versions.MinClientProtocol;

    public ProtocolFeatures Features { get; } = new();
}

/// <summary>Features by name. Stale calls are ignored, not only observed.</summary>
internal sealed record ProtocolFeatures
{
    public bool LeaseId { get; init; } = true;

    public bool ConnectionEpoch { get; init; } = true;

    public bool StaleObserveOnly { get; init; }

    public bool StaleRejectAck { get; init; } = true;

    public bool StaleRejectFile { get; init; } = true;

    public bool Seq { get; init; } = true;

    public bool Cursor { get; init; } = true;

    public bool AckDelivered { get; init; } = true;

    public bool AckRetryAfterMs { get; init; } = true;

    public bool EventPrefix { get; init; } = true;

    public bool DeadLetter { get; init; } = true;

    public bool Rpc { get; init; } = true;
}

/// <summary>Calls under an outdated lease.</summary>
internal sealed record StaleSection(long StaleConnect, long StaleInbound, long StaleActivity, long StaleAck, long? LastStaleAt)
{
    public long StaleFileInit { get; init; }

    public long StaleFileChunk { get; init; }

    public long StaleFileComplete { get; init; }

    public long StaleFileAbort { get; init; }
}
