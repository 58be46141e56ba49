using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Wire;
using ChannelBridge.Protocol.Buffers;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>
/// Decides which client is an account's primary: the newest that connected, of the same access token. Another token can't take over a live primary, nor
/// slip in while a client that was cut off reconnects. A client that loses its lease is told; when the newer one leaves, the newest of the remaining gets its
/// own lease back. A client that never asks for a lease is primary while there is no other.
/// </summary>
internal sealed partial class LeaseTable(
    LeaseContext context, AckingClients ackers, IOutbox outbox, IRecords records, BncrOptions options, ILogger<LeaseTable> logger)
{
    private const string EpochSequence = "bncr.epoch/";

    /// <summary>Grants a lease for <c>bncr.connect</c>; it is the account's newest.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Forbidden"/>: another access token holds the account.</exception>
    public async ValueTask<BncrSession> GrantAsync(
        BncrAccount account, MethodCall call, string? clientId, string eventPrefix, bool declaresAck, int? inlineMediaBytes, CancellationToken cancellationToken)
    {
        var connection = call.Connection;
        var caller = connection.Caller;
        lock (account.Gate)
        {
            EnsureHolder(account, caller);
            SlowDown(account, connection, clientId);
        }

        var epoch = new SequenceNext { Name = EpochSequence + account.Key };
        await records.WriteAsync(epoch, cancellationToken).ConfigureAwait(false);
        var now = context.Now;
        var session = new BncrSession(account, connection, eventPrefix, context)
        {
            ClientId = clientId,
            LeaseId = "lease_" + Guid.NewGuid().ToString("D"),
            Epoch = epoch.Value,
            Granted = true,
            InlineMediaBytes = inlineMediaBytes,
            ConnectedAt = now,
            LastSeenAt = now,
            Acks = declaresAck,
            Displaced = TellDisplaced,
        };
        await ackers.LoadAsync(session, cancellationToken).ConfigureAwait(false);

        BncrSession? lost = null;
        BncrSession? before;
        var contested = false;
        lock (account.Gate)
        {
            EnsureHolder(account, caller);
            account.Sessions.Remove(connection.Id, out before);
            account.Sessions.Add(connection.Id, session);
            var primary = account.Primary;
            if (primary is null || ReferenceEquals(primary, before) || primary.Epoch < session.Epoch)
            {
                account.Primary = session;
                account.Holder = null;
                if (primary is not null && !ReferenceEquals(primary, before)) lost = primary;
                if (lost is not null && !lost.Closed.IsCancellationRequested) contested = account.Takeovers.Add(now, clientId, lost.ClientId);
                // From here on the old client gets nothing more; the new one is attached when it has its answer.
                Release(account);
            }
        }

        if (before is not null) await before.Watch.DisposeAsync().ConfigureAwait(false);
        account.Stats.Connected(now);
        Telemetry.Leases.Add(1, new KeyValuePair<string, object?>("channelbridge.takeover", lost is not null));
        if (lost is not null)
        {
            LogTakeover(logger, account.DisplayId, session.Epoch, lost.Connection.Id, connection.Id);
            _ = TellAsync(lost, EventPrefixes.LeaseLost, "replaced", session.ClientId);
        }

        if (contested) LogContested(logger, account.DisplayId, lost!.ClientId, clientId);
        Watch(session);

        // A client that waits for its answer and drops what comes before it would wait for the ack timeout of what it dropped.
        call.AfterAnswer(() => AttachSoon(session));
        return session;
    }

    /// <summary>Clients that take an account from each other in a circle have to wait, and are told why.</summary>
    private void SlowDown(BncrAccount account, IClientConnection connection, string? clientId)
    {
        if (account.Primary is not { } primary || ReferenceEquals(primary.Connection, connection) || primary.Closed.IsCancellationRequested) return;
        if (account.Takeovers.WaitAt(context.Now, clientId) is > 0 and var wait) throw Refusals.Contested(account.DisplayId, primary.ClientId, TimeSpan.FromMilliseconds(wait));
    }

    /// <summary>
    /// Notes that a client was heard. One that never asked for a lease gets pushes while the account has no other client; with what it shows of an
    /// earlier lease, so that a client whose connection outlived the host needn't know.
    /// </summary>
    public BncrSession? Touch(
        BncrAccount account, IClientConnection connection, string? clientId, string eventPrefix, string? leaseId, long? epoch, bool declaresAck = false)
    {
        var now = context.Now;
        account.Stats.Heard(now);
        BncrSession session;
        lock (account.Gate)
        {
            if (account.Sessions.TryGetValue(connection.Id, out var known) && ReferenceEquals(known.Connection, connection))
            {
                known.LastSeenAt = now;
                known.ClientId ??= clientId;
                return known;
            }

            if (connection.Closed.IsCancellationRequested || HeldByStranger(account, connection.Caller, out _)) return null;
            session = new BncrSession(account, connection, eventPrefix, context)
            {
                ClientId = clientId,
                LeaseId = leaseId,
                Epoch = leaseId is null ? 0 : epoch ?? 0,
                ConnectedAt = now,
                LastSeenAt = now,
                Acks = declaresAck,
                Displaced = TellDisplaced,
            };
            account.Sessions[connection.Id] = session;
            // Clients that outlived the host are heard in any order: of their leases the newest counts, as before.
            if (account.Primary is not { } primary || (!primary.Granted && session.Epoch > primary.Epoch))
            {
                account.Primary = session;
                account.Holder = null;
                Release(account);
            }
        }

        Watch(session);
        if (session.IsPrimary) AttachSoon(session);
        return session;
    }

    /// <summary>True when what the caller shows of a lease isn't the current one. Nothing shown is never stale.</summary>
    public static bool IsStale(BncrAccount account, string? leaseId, long? epoch)
    {
        if (string.IsNullOrEmpty(leaseId) && epoch is null) return false;
        if (account.Primary is not { LeaseId: { } current } primary) return false;
        if (!primary.Granted && epoch > primary.Epoch) return false;
        return (!string.IsNullOrEmpty(leaseId) && leaseId != current) || (epoch is { } number && number != primary.Epoch);
    }

    /// <summary>Refuses a caller whose access token isn't the one that holds the account.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Forbidden"/>.</exception>
    public void EnsureHolder(BncrAccount account, Caller caller)
    {
        lock (account.Gate)
        {
            if (HeldByStranger(account, caller, out var retryAfter)) throw Refusals.Held(account.DisplayId, retryAfter);
        }
    }

    /// <summary>Two callers are one when they hold the same access token; through the gateway, when both come through it.</summary>
    public static bool SameHolder(Caller left, Caller right) =>
        string.Equals(left.Name, right.Name, StringComparison.Ordinal) && (left.Door is Door.Gateway) == (right.Door is Door.Gateway);

    /// <summary>Wakes the account's flush.</summary>
    public void Wake(BncrAccount account)
    {
        lock (account.Gate)
        {
            if (account.Primary is { } primary && ReferenceEquals(primary, account.Attached)) outbox.Attach(BncrChannel.ChannelId, account.DisplayId, primary);
        }
    }

    private bool HeldByStranger(BncrAccount account, Caller caller, out TimeSpan? retryAfter)
    {
        retryAfter = null;
        // A primary whose end is just being noticed still holds: its reconnect grace begins in a moment.
        if (account.Primary is { } primary) return !SameHolder(primary.Caller, caller);
        if (account.Holder is not { } holder || SameHolder(holder, caller)) return false;
        var left = account.HeldUntil - context.Now;
        if (left <= 0)
        {
            account.Holder = null;
            return false;
        }

        retryAfter = TimeSpan.FromMilliseconds(left);
        return true;
    }

    private void Watch(BncrSession session) => session.Watch = session.Closed.UnsafeRegister(
        static (state, _) =>
        {
            var (desk, session) = ((LeaseTable, BncrSession))state!;
            desk.Ended(session);
        },
        (this, session));

    private void Ended(BncrSession session)
    {
        var account = session.Account;
        BncrSession? heir = null;
        lock (account.Gate)
        {
            if (!account.Sessions.TryGetValue(session.Connection.Id, out var current) || !ReferenceEquals(current, session)) return;
            account.Sessions.Remove(session.Connection.Id);
            if (ReferenceEquals(account.Primary, session))
            {
                foreach (var candidate in account.Sessions.Values)
                {
                    if (!candidate.Closed.IsCancellationRequested && (heir is null || Later(candidate, heir))) heir = candidate;
                }

                account.Primary = heir;
                Release(account);
                if (heir is null && !session.ClosedByClient && session.Caller.Door is not Door.Gateway && options.ReconnectGrace > TimeSpan.Zero)
                {
                    account.Holder = session.Caller;
                    account.HeldUntil = context.Now + (long)options.ReconnectGrace.TotalMilliseconds;
                }
            }
        }

        account.Stats.Disconnected(context.Now);
        if (heir is null) return;
        if (heir.LeaseId is not null) _ = TellAsync(heir, EventPrefixes.LeaseRegained, "newer-client-left", null);
        AttachSoon(heir);
    }

    private static bool Later(BncrSession left, BncrSession right) =>
        left.Epoch != right.Epoch ? left.Epoch > right.Epoch : left.LastSeenAt > right.LastSeenAt;

    private void Release(BncrAccount account)
    {
        if (account.Attached is not { } attached || ReferenceEquals(attached, account.Primary)) return;
        account.Attached = null;
        outbox.Detach(BncrChannel.ChannelId, account.DisplayId, attached);
    }

    /// <summary>
    /// Attaches the primary on another thread: a look-up whether it is known to ack comes before the first push.
    /// </summary>
    private void AttachSoon(BncrSession session) => _ = Task.Run(() => AttachAsync(session));

    private async Task AttachAsync(BncrSession session)
    {
        try
        {
            await ackers.LoadAsync(session, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            // The outbox meets the same store; the client is pushed to as one that doesn't ack until its first ack.
            LogNoAckers(logger, fault, session.Account.DisplayId);
        }

        var account = session.Account;
        lock (account.Gate)
        {
            if (!ReferenceEquals(account.Primary, session)) return;
            account.Attached = session;
            outbox.Attach(BncrChannel.ChannelId, account.DisplayId, session);
        }
    }

    /// <summary>The account's newest client is on another host, or was.</summary>
    private void TellDisplaced(BncrSession session, bool displaced)
    {
        if (session.LeaseId is null || !session.IsPrimary) return;
        _ = displaced
            ? TellAsync(session, EventPrefixes.LeaseLost, "replaced", null)
            : TellAsync(session, EventPrefixes.LeaseRegained, "newer-client-left", null);
    }

    private async Task TellAsync(BncrSession session, string suffix, string reason, string? byClientId)
    {
        try
        {
            using var payload = new PooledBuffer(512);
            LeaseEvent.Render(payload, session, reason, byClientId, context.Now);
            await session.Connection.PushAsync(session.EventPrefix + suffix, payload.Written.ToArray()).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogNotTold(logger, fault, session.Account.DisplayId, session.Connection.Id);
        }
    }

    [LoggerMessage(EventId = LogEvents.LeaseTableTakeover, Level = LogLevel.Information,
        Message = "Account {Account}: lease {Epoch} went from connection {From} to {To}")]
    private static partial void LogTakeover(ILogger logger, string account, long epoch, string from, string to);

    [LoggerMessage(EventId = LogEvents.LeaseTableContested, Level = LogLevel.Warning,
        Message =
            "Account {Account}: the clients {Client} and {Other} take it from each other in a circle. They are slowed down; stop one of them, or give each an account of its own")]
    private static partial void LogContested(ILogger logger, string account, string? client, string? other);

    [LoggerMessage(EventId = LogEvents.LeaseTableNoAckers, Level = LogLevel.Warning, Message = "Couldn't look up whether the client of account {Account} acks")]
    private static partial void LogNoAckers(ILogger logger, Exception fault, string account);

    [LoggerMessage(EventId = LogEvents.LeaseTableNotTold, Level = LogLevel.Warning, Message = "Couldn't tell connection {Connection} of account {Account} about its lease")]
    private static partial void LogNotTold(ILogger logger, Exception fault, string account, string connection);
}
