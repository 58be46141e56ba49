namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Result of <c>bncr.diagnostics</c>.</summary>
internal sealed record DiagnosticsResult
{
    public string Channel { get; init; } = BncrChannel.ChannelId;

    public required string AccountId { get; init; }

    public required RuntimeSection Runtime { get; init; }

    public required DiagnosticsSection Diagnostics { get; init; }

    public required RuntimeFlags RuntimeFlags { get; init; }

    public required Waiters Waiters { get; init; }

    public PermissionsSection Permissions { get; } = new();

    public required ProbeSection Probe { get; init; }

    public required long Now { get; init; }
}

/// <summary>The account as its status card shows it.</summary>
internal sealed record RuntimeSection
{
    public required string AccountId { get; init; }

    public string? Name { get; init; }

    public bool Running { get; init; } = true;

    public required bool Connected { get; init; }

    public bool Linked => Connected;

    public required long? LastEventAt { get; init; }

    public required long? LastInboundAt { get; init; }

    public required long? LastOutboundAt { get; init; }

    public string Mode => Connected ? "linked" : "configured";

    public string? LastError { get; init; }

    public required RuntimeMeta Meta { get; init; }
}

/// <summary>What the status card's fields are made of.</summary>
internal sealed record RuntimeMeta
{
    public required long Pending { get; init; }

    public required long DeadLetter { get; init; }

    public required string HealthSummary { get; init; }

    public string? LastSessionKey { get; init; }

    public string? LastSessionScope { get; init; }

    public long? LastSessionAt { get; init; }

    public required string LastSessionAgo { get; init; }

    public long? LastActivityAt { get; init; }

    public required string LastActivityAgo { get; init; }

    public long? LastInboundAt { get; init; }

    public required string LastInboundAgo { get; init; }

    public long? LastOutboundAt { get; init; }

    public required string LastOutboundAgo { get; init; }
}

/// <summary>What the channel may do at the gateway: nothing beyond what the gateway's own settings allow.</summary>
internal sealed record PermissionsSection
{
    public bool ElevatedEnabled { get; init; }

    public bool BncrElevatedAllowed { get; init; }

    public string[] BncrElevatedRules { get; init; } = [];

    public string Note { get; init; } = "the host grants nothing; the gateway's own approvals decide";
}

/// <summary>A judgement: <c>ok</c>, <c>warn</c> or <c>error</c>, and why.</summary>
internal sealed record ProbeSection(bool Ok, string Level, string Summary, ProbeDetails Details);

/// <summary>What the judgement is made of.</summary>
internal sealed record ProbeDetails(
    string AccountId, bool Connected, long Pending, long DeadLetter, int ActiveConnections, int InvalidOutboxSessionKeys, int LegacyAccountResidue, long? LastActivityAt);
