using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;
using ChannelBridge.Core.Messaging.Claims;
using ChannelBridge.Protocol.Buffers;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <inheritdoc cref="IOutbox"/>
/// <remarks>This class takes messages and acks in; <see cref="AccountOutbox"/> gets the messages of one account out.</remarks>
internal sealed partial class Outbox : IOutbox, IDisposable
{
    private const int LongestKey = 512;
    private static readonly TimeSpan BusyDelay = TimeSpan.FromSeconds(1);

    private readonly IStore _store;
    private readonly Backlogs _backlogs;
    private readonly MessagingEvents _events;
    private readonly MessagingOptions _options;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger<Outbox> _logger;
    private readonly ConcurrentDictionary<(string Channel, string Account), AccountOutbox> _accounts = new();
    private readonly ConcurrentDictionary<(string Channel, string Account), IPushTarget> _wanted = new();
    private readonly ILaneClaims _claims;
    private readonly ConcurrentDictionary<Guid, Task> _settling = new();
    private readonly CancellationTokenSource _stop = new();

    public Outbox(
        IStore store,
        Backlogs backlogs,
        MessagingEvents events,
        MessagingOptions options,
        TimeProvider time,
        Random random,
        ILogger<Outbox> logger,
        ILaneClaims? claims = null)
    {
        _claims = claims ?? SingleHostClaims.Instance;
        _events = events;
        _store = store;
        _backlogs = backlogs;
        _options = options;
        _time = time;
        _random = random;
        _logger = logger;
        MayHold = options.Delivery.Values.Concat(options.AccountDelivery.Values).Append(options.DefaultDelivery).Any(policy => policy.HoldUntilInbound.Count > 0);
        Memory = new LaneMemory(options.LaneMemory);
    }

    /// <summary>Bytes of messages held for pushes.</summary>
    public LaneMemory Memory { get; }

    /// <summary>Lanes with work in memory.</summary>
    public int ActiveLanes => _accounts.Values.Sum(account => account.ActiveLanes);

    /// <summary>Lanes in memory, with or without work.</summary>
    public int LanesInMemory => _accounts.Values.Sum(account => account.LanesInMemory);

    /// <summary>Messages that are outside: pushed, without a final receipt.</summary>
    public int Outside => _accounts.Values.Sum(account => account.OutsideCount);

    /// <summary>The lane with the most messages before it, of those in memory; null when none has any.</summary>
    public (LaneKey Key, long Depth)? Deepest() =>
        _accounts.Values.Select(account => account.Deepest()).Where(deepest => deepest is not null).MaxBy(deepest => deepest!.Value.Depth);

    /// <summary>Accounts that can be reached now.</summary>
    public int AttachedAccounts => _accounts.Values.Count(account => account.Attached);

    public async ValueTask<OutboxReceipt> SendAsync(
        OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        Check(idempotencyKey);
        var counter = _backlogs.Of(message.Channel, message.AccountId);
        if (!counter.OutboxTake(_options.OutboxCapacity))
        {
            throw BridgeException.Busy(
                $"The outbox of account {message.AccountId} holds {_options.OutboxCapacity} undelivered messages, which is its limit; try again later.", BusyDelay);
        }

        try
        {
            using var prepared = Prepare(message, idempotencyKey, replyTo: null);
            await _store.CommitAsync(records.Along(prepared.Append), CancellationToken.None).ConfigureAwait(false);
            Committed(prepared.Append, message);
            return new OutboxReceipt(prepared.Append.Id, prepared.Append.Duplicate, prepared.Append.Seq);
        }
        finally
        {
            counter.OutboxArrived();
        }
    }

    public async ValueTask<IReadOnlyList<OutboundMessage>> SendAllAsync(
        IReadOnlyList<OutboundMessage> messages, string idempotencyKey, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        Check(idempotencyKey);
        var refused = new List<OutboundMessage>();
        var taken = new List<(Backlogs.Counter Counter, PreparedReply Prepared)>(messages.Count);
        try
        {
            foreach (var message in messages)
            {
                var counter = _backlogs.Of(message.Channel, message.AccountId);
                var prepared = Prepare(message, MessageIds.ForAll(message.Channel, message.AccountId, idempotencyKey), replyTo: null);
                if (counter.OutboxTake(_options.OutboxCapacity))
                {
                    taken.Add((counter, prepared));
                    continue;
                }

                prepared.Dispose();
                refused.Add(message);
            }

            if (taken.Count > 0) await _store.CommitAsync([.. taken.Select(one => one.Prepared.Append)], CancellationToken.None).ConfigureAwait(false);
            foreach (var (_, prepared) in taken) Committed(prepared.Append, prepared.Message);
            return refused;
        }
        finally
        {
            foreach (var (counter, prepared) in taken)
            {
                counter.OutboxArrived();
                prepared.Dispose();
            }
        }
    }

    public async ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        if (_accounts.TryGetValue(KeyOf(ack.Channel, ack.AccountId), out var account) && account.Find(ack.Id) is { } lane)
        {
            var result = await account.AckAsync(lane, ack, records).ConfigureAwait(false);
            if (result is { } known) return known;
        }

        // One at a time for each message, so that no receipt counts twice.
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        while (_settling.GetOrAdd(ack.Id, mine.Task) is { } other && other != mine.Task) await other.ConfigureAwait(false);
        try
        {
            return await AckStoredAsync(ack, records, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _settling.TryRemove(ack.Id, out _);
            mine.SetResult();
        }
    }

    public void Attach(string channel, string accountId, IPushTarget target)
    {
        if (!_claims.IsShared)
        {
            Of(channel, accountId).Attach(target, SingleHostClaims.Only);
            return;
        }

        // Another host may have a newer client of the account: the target gets its pushes when this host has the claim to them.
        var key = KeyOf(channel, accountId);
        _wanted[key] = target;
        _claims.WantPushes(key.Channel, key.Account, target.Rank, target.Holder);
    }

    public void Detach(string channel, string accountId, IPushTarget target)
    {
        if (_claims.IsShared)
        {
            var key = KeyOf(channel, accountId);
            if (_wanted.TryRemove(KeyValuePair.Create(key, target))) _claims.DropPushes(key.Channel, key.Account);
        }

        if (_accounts.TryGetValue(KeyOf(channel, accountId), out var account)) account.Detach(target);
    }

    public Backlog GetBacklog(string channel, string accountId)
    {
        var counter = _backlogs.Of(channel, accountId);
        return new Backlog(Backlogs.Shown(ref counter.OutboxPending), Backlogs.Shown(ref counter.OutboxDead));
    }

    /// <summary>The account's pushes are this host's.</summary>
    public void PushesTaken(string channel, string account, long claim)
    {
        if (_wanted.TryGetValue((channel, account), out var target))
        {
            target.OnDisplaced(false);
            Of(channel, account).Attach(target, claim);
        }
        else
        {
            _claims.DropPushes(channel, account);
        }
    }

    /// <summary>The account's pushes aren't this host's any more.</summary>
    public void PushesLost(string channel, string account, bool displaced)
    {
        if (!_wanted.TryGetValue((channel, account), out var target)) return;
        if (_accounts.TryGetValue((channel, account), out var outbox)) outbox.Detach(target);
        if (displaced) target.OnDisplaced(true);
    }

    /// <summary>An entry with this number exists in the store now; another host has put it there.</summary>
    public void Announce(PendingLane lane)
    {
        if (_accounts.TryGetValue((lane.Key.Channel, lane.Key.Account), out var account)) account.Announce(lane.Id, lane.Key, lane.Known);
    }

    /// <summary>The account has unsettled messages in the store: those that aren't known here are brought in.</summary>
    public void Look(string channel, string account)
    {
        if (_accounts.TryGetValue((channel, account), out var outbox)) outbox.Look();
    }

    /// <summary>Makes the write for a message; commit it, then call <see cref="Committed"/>, then dispose.</summary>
    /// <param name="message">The message.</param>
    /// <param name="idempotencyKey">Its key.</param>
    /// <param name="replyTo">The inbox entry that it answers, or null.</param>
    /// <param name="claim">The claim of the lane's turn that it belongs to; a send belongs to none.</param>
    public PreparedReply Prepare(OutboundMessage message, string idempotencyKey, Guid? replyTo, long claim = StoreWrite.Unfenced) =>
        Prepare(message, MessageIds.ForOutbox(message.Channel, message.AccountId, idempotencyKey, replyTo), replyTo, claim);

    private PreparedReply Prepare(OutboundMessage message, Guid id, Guid? replyTo, long claim = StoreWrite.Unfenced)
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var payload = new PooledBuffer();
        MessageCodec.Write(message, payload);
        var lane = new LaneKey(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey);
        var ttl = _options.DeliveryOf(lane.Channel, lane.Account).TimeToLive;
        var append = new OutboxAppend
        {
            Lane = lane,
            Id = id,
            ReplyTo = replyTo,
            At = now,
            ExpiresAt = ttl is { } limit ? now + (long)limit.TotalMilliseconds : 0,
            Payload = payload.Written,
            Claim = claim,
        };
        return new PreparedReply(append, message, payload);
    }

    /// <summary>Tells that a prepared message is durable: it is on its way now.</summary>
    public void Committed(OutboxAppend append, OutboundMessage message)
    {
        if (append.Duplicate)
        {
            // Known before, perhaps only by a commit whose answer was lost: then nobody has been told.
            if (_claims.IsShared) Tell(append.LaneId, append.Lane, append.Seq);
            return;
        }

        Telemetry.OutboxAccepted.Add(1);
        _events.Changed(append.Id, append.Lane, append.Seq, DeliveryState.Accepted);
        Interlocked.Increment(ref _backlogs.Of(append.Lane.Channel, append.Lane.Account).OutboxPending);
        if (!_accounts.TryGetValue((append.Lane.Channel, append.Lane.Account), out var account) || !account.Attached)
        {
            _claims.TellPusher(append.LaneId);
            return;
        }

        account.Offer(append.LaneId, append.Lane, new PushEntry(append.Id, append.Seq, message, append.At, append.ExpiresAt, append.Payload.Length));
    }

    /// <summary>True while this host pushes to a client of the account.</summary>
    public bool IsAttached(string channel, string account) => _accounts.TryGetValue((channel, account), out var outbox) && outbox.Attached;

    /// <summary>The time of messages is over, and nobody is connected for them.</summary>
    public async ValueTask ExpireAsync(IReadOnlyList<OutboxEntry> entries)
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var updates = entries.Select(entry => new OutboxUpdate
        {
            LaneId = entry.LaneId,
            Seq = entry.Seq,
            State = DeliveryState.Expired,
            Settled = true,
            Attempts = entry.Attempts,
            Error = AccountOutbox.Expired,
            HistoryLine = MessageCodec.Write(new AttemptRecord(now, entry.Attempts, AccountOutbox.Expired, null, null)),
            At = now,
            Claim = StoreWrite.Unfenced,
        }).ToArray();
        // Whoever connects next is told by the next push that these don't come.
        var skips = entries.Zip(updates, (entry, update) =>
        {
            var skip = SkipRecords.Put(entry.Lane, entry.Seq, DeliveryState.Expired, now, _options.DeadLetterRetention);
            skip.With = update;
            return skip;
        });
        await _store.CommitAsync([.. updates, .. skips], CancellationToken.None).ConfigureAwait(false);
        foreach (var (entry, update) in entries.Zip(updates))
        {
            if (!update.Changed) continue;
            var counter = _backlogs.Of(entry.Lane.Channel, entry.Lane.Account);
            Interlocked.Decrement(ref counter.OutboxPending);
            Interlocked.Increment(ref counter.Ended);
            Telemetry.Settled.Add(1, new KeyValuePair<string, object?>("channelbridge.state", DeliveryStates.NameOf(DeliveryState.Expired)));
            _events.Changed(entry.Id, entry.Lane, entry.Seq, DeliveryState.Expired, AccountOutbox.Expired);
            if (_accounts.TryGetValue((entry.Lane.Channel, entry.Lane.Account), out var account)) account.Forget(entry.LaneId, entry.Lane, entry.Seq);
        }
    }

    /// <summary>True when messages of any account may be held until their user writes.</summary>
    public bool MayHold { get; }

    /// <summary>True when messages of this lane may be.</summary>
    public bool HoldsFor(LaneKey lane) => MayHold && _options.DeliveryOf(lane.Channel, lane.Account).HoldUntilInbound.Count > 0;

    /// <summary>The user wrote in this lane: messages that are held until then are due. Completes when that is durable.</summary>
    public async ValueTask ReleaseAsync(long laneId, LaneKey lane, string route)
    {
        var account = Of(lane.Channel, lane.Account);
        await account.ReleaseAsync(laneId, lane, route).ConfigureAwait(false);
        if (!account.Attached) _claims.TellPusher(laneId);
    }

    /// <summary>A dead letter was put back: it is on its way again.</summary>
    public void Replayed(OutboxEntry entry, long seq)
    {
        var counter = _backlogs.Of(entry.Lane.Channel, entry.Lane.Account);
        Interlocked.Increment(ref counter.OutboxPending);
        if (entry.State == DeliveryState.Dead) Interlocked.Decrement(ref counter.OutboxDead);
        _events.Changed(entry.Id, entry.Lane, seq, DeliveryState.Accepted, "replayed");
        Tell(entry.LaneId, entry.Lane, seq);
    }

    /// <summary>A dead letter was removed.</summary>
    public void Discarded(OutboxEntry entry)
    {
        if (entry.State == DeliveryState.Dead) Interlocked.Decrement(ref _backlogs.Of(entry.Lane.Channel, entry.Lane.Account).OutboxDead);
    }

    /// <summary>When an unsettled entry was pushed to the target of now (Unix ms), or 0: a push itself isn't written.</summary>
    public long PushedNow(OutboxEntry entry) =>
        _accounts.TryGetValue((entry.Lane.Channel, entry.Lane.Account), out var account) ? account.PushedNow(entry.Id) : 0;

    /// <summary>Pushes no more; completes when what was under way is recorded.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (var account in _accounts.Values) await account.StopAsync().ConfigureAwait(false);
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Throws when nothing can be sent under this key, or at all.</summary>
    private void Check(string idempotencyKey)
    {
        if (string.IsNullOrEmpty(idempotencyKey) || idempotencyKey.Length > LongestKey)
        {
            throw BridgeException.Invalid($"The idempotency key must have 1 to {LongestKey} characters.");
        }

        if (_stop.IsCancellationRequested)
        {
            throw BridgeException.Unavailable("The host is stopping; send the message again after it has restarted.", TimeSpan.FromSeconds(2));
        }
    }

    private void Tell(long laneId, LaneKey lane, long seq)
    {
        if (_accounts.TryGetValue((lane.Channel, lane.Account), out var account) && account.Attached) account.Announce(laneId, lane, seq);
        else _claims.TellPusher(laneId);
    }

    private AccountOutbox Of(string channel, string accountId) => _accounts.GetOrAdd(
        KeyOf(channel, accountId),
        key => new AccountOutbox(
            key.Channel, key.Account, _store, _backlogs.Of(key.Channel, key.Account), _events, _options, Memory, _time, _random, _logger, _stop.Token));

    private static (string Channel, string Account) KeyOf(string channel, string accountId) => (channel, accountId.ToLowerInvariant());
}
