using System.Globalization;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr;

/// <summary>Says how an account does, in the shapes of <c>bncr.connect</c>, <c>bncr.diagnostics</c> and the gateway's status.</summary>
internal sealed class StatusReporter(IOutbox outbox, IRecords records, RouteBook routes, TimeProvider time, IFileSender? files = null)
{
    /// <summary>A client that was heard within this time counts as seen recently; for show only, its connection's end is what counts.</summary>
    private static readonly long RecentlyMs = 120_000;

    private static readonly string Version = typeof(StatusReporter).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    private readonly long _startedAt = time.GetUtcNow().ToUnixTimeMilliseconds();
    private string? _bridgeId;

    /// <summary>Names the store: as long as it is the same, so are queue, leases and cursors.</summary>
    public string BridgeId => _bridgeId ??= $"channelbridge-{records.StoreId:N}";

    public Backlog Backlog(BncrAccount account) => outbox.GetBacklog(BncrChannel.ChannelId, account.DisplayId);

    /// <summary>
    /// Pushes that wait for their ack, and words on files that are awaited. What was given up meanwhile, or pushed to a client that has
    /// left, is waited for no longer, though the ledger may still hold it.
    /// </summary>
    public Waiters Waiters(BncrAccount account) =>
        new(account.Primary is null ? 0 : (int)Math.Min(account.Stats.AwaitingAck, Backlog(account).Pending), files?.AwaitingAcks(account.DisplayId) ?? 0);

    public static RuntimeFlags Flags(BncrAccount account, BncrSession? session)
    {
        var (mode, source) = session?.AckRule ?? (account.Policy.AckMode, account.Policy.AckSource);
        var required = session?.RequiresAck ?? mode is BncrAckMode.True;
        return new RuntimeFlags(required, source, mode switch { BncrAckMode.True => "true", BncrAckMode.False => "false", _ => "auto" });
    }

    public ChannelAccountStatus Status(BncrAccount account)
    {
        var (pending, dead) = Backlog(account);
        return new ChannelAccountStatus
        {
            AccountId = account.DisplayId,
            Connected = account.Primary is not null,
            ActiveConnections = account.ActiveConnections,
            LastInboundAt = At(account.Stats.LastInboundAt),
            LastOutboundAt = At(account.Stats.LastOutboundAt),
            LastActivityAt = LastHeard(account),
            LastSessionKey = account.Stats.LastSessionKey,
            LastSessionScope = account.Stats.LastScope,
            LastSessionAt = account.Stats.LastSessionKey is null ? null : At(account.Stats.LastInboundAt),
            Pending = pending,
            DeadLetter = dead,
        };
    }

    public DiagnosticsResult Report(BncrAccount account)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var status = Status(account);
        return new DiagnosticsResult
        {
            AccountId = account.DisplayId,
            Runtime = Runtime(account, status, now),
            Diagnostics = Diagnostics(account),
            RuntimeFlags = Flags(account, account.Primary),
            Waiters = Waiters(account),
            Probe = Probe(status),
            Now = now,
        };
    }

    public DiagnosticsSection Diagnostics(BncrAccount account)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var (pending, dead) = Backlog(account);
        var stats = account.Stats;
        RecentLease[] recent;
        int active;
        var primary = account.Primary;
        lock (account.Gate)
        {
            active = account.Sessions.Count;
            recent =
            [
                .. account.Sessions.Values
                    .OrderByDescending(session => session.Epoch)
                    .Take(8)
                    .Select(session => new RecentLease(
                        session.LeaseId,
                        session.Epoch,
                        session.ClientId,
                        session.ConnectedAt,
                        At(session.LastSeenAt),
                        now - Math.Max(session.LastSeenAt, session.LastReceivedAt.ToUnixTimeMilliseconds()) <= RecentlyMs,
                        ReferenceEquals(session, primary))),
            ];
        }

        return new DiagnosticsSection
        {
            Health = new HealthSection(
                primary is not null, pending, 0, dead, active, stats.Connects, stats.Inbound, stats.Activities, stats.Acks, (now - _startedAt) / 1000),
            Regression = new RegressionSection(routes.Known),
            Register = new RegisterSection(BridgeId, Environment.ProcessId, Version, _startedAt),
            Connection = new ConnectionSection(
                active,
                primary?.LeaseId,
                primary?.Epoch,
                stats.Connects,
                At(stats.LastConnectAt),
                At(stats.LastDisconnectAt),
                LastHeard(account),
                At(stats.LastInboundAt),
                At(stats.LastAckAt),
                recent),
            Stale = new StaleSection(
                stats.Stale[StaleKind.Connect], stats.Stale[StaleKind.Inbound], stats.Stale[StaleKind.Activity], stats.Stale[StaleKind.Ack], At(stats.LastStaleAt)),
        };
    }

    private static RuntimeSection Runtime(BncrAccount account, ChannelAccountStatus status, long now)
    {
        var lastSessionAt = account.Stats.LastSessionKey is null ? null : status.LastInboundAt;
        return new RuntimeSection
        {
            AccountId = account.DisplayId,
            Name = account.Policy.Name,
            Connected = status.Connected,
            LastEventAt = status.LastActivityAt ?? status.LastInboundAt ?? status.LastOutboundAt,
            LastInboundAt = status.LastInboundAt,
            LastOutboundAt = status.LastOutboundAt,
            Meta = new RuntimeMeta
            {
                Pending = status.Pending,
                DeadLetter = status.DeadLetter,
                HealthSummary = $"diag:ok p:{status.Pending} d:{status.DeadLetter} c:{status.ActiveConnections}",
                LastSessionKey = account.Stats.LastSessionKey,
                LastSessionScope = account.Stats.LastScope,
                LastSessionAt = lastSessionAt,
                LastSessionAgo = Ago(lastSessionAt, now),
                LastActivityAt = status.LastActivityAt,
                LastActivityAgo = Ago(status.LastActivityAt, now),
                LastInboundAt = status.LastInboundAt,
                LastInboundAgo = Ago(status.LastInboundAt, now),
                LastOutboundAt = status.LastOutboundAt,
                LastOutboundAgo = Ago(status.LastOutboundAt, now),
            },
        };
    }

    private static ProbeSection Probe(ChannelAccountStatus status)
    {
        var issues = new List<string>();
        if (!status.Connected) issues.Add("not-connected");
        if (status.Pending > 20) issues.Add("pending-high");
        if (status.DeadLetter > 0) issues.Add("dead-letter");
        if (status.ActiveConnections > 3) issues.Add("too-many-connections");
        var level = issues.Count == 0 ? "ok" : !status.Connected && status.DeadLetter > 0 ? "error" : "warn";
        return new ProbeSection(
            issues.Count == 0,
            level,
            issues.Count == 0 ? "healthy" : string.Join(", ", issues),
            new ProbeDetails(status.AccountId, status.Connected, status.Pending, status.DeadLetter, status.ActiveConnections, 0, 0, status.LastActivityAt));
    }

    private static long? LastHeard(BncrAccount account) =>
        At(Math.Max(account.Stats.LastActivityAt, account.Primary?.LastReceivedAt.ToUnixTimeMilliseconds() ?? 0));

    private static long? At(long time) => time > 0 ? time : null;

    private static string Ago(long? at, long now)
    {
        if (at is not { } time) return "-";
        var seconds = Math.Max(0, now - time) / 1000;
        return seconds switch
        {
            0 => "just now",
            < 60 => string.Create(CultureInfo.InvariantCulture, $"{seconds}s ago"),
            < 3600 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60}m ago"),
            < 86_400 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600}h ago"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 86_400}d ago"),
        };
    }
}
