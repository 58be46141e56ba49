using System.Collections.Concurrent;
using System.Diagnostics;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;
using ChannelBridge.Protocol;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// Gets the messages of one account out: walks its lanes while a target is attached, waits for acks, tries again, gives up. While nobody is
/// attached it holds nothing in memory; the messages are in the store.
/// </summary>
/// <remarks>
/// A lane is walked by one walker at a time. Whoever changes something (a new message, an ack, a timer, a new target) wakes the lane; if it is being
/// walked already, the walker looks again before it leaves.
/// </remarks>
internal sealed partial class AccountOutbox
{
    internal const string AckTimeout = "push-ack-timeout";
    internal const string Refused = "push-retry";
    internal const string RetryLimit = "push-retry-limit";
    internal const string FatalAck = "fatal-ack";
    internal const string PermanentRefusal = "permanent-refusal";
    internal const string Expired = "expired";
    internal const string HeldReason = "held-until-inbound";

    /// <summary>The time of an entry's next attempt while it is held: never, by itself.</summary>
    internal const long Held = long.MaxValue;


    private const int FillPage = 256;
    private const int ReadBytes = 256 * 1024;
    private const int MostUnconfirmed = 64;
    private const int LongestDetail = 500;
    private static readonly TimeSpan LongestEnding = TimeSpan.FromHours(1);
    private static readonly TimeSpan StoreRetryDelay = TimeSpan.FromSeconds(1);
    // What a client may ask for, and more than any policy's wait: a stored time further off was written before the clock was set back.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);
    private static readonly TimeSpan FullDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ConfirmInterval = TimeSpan.FromMilliseconds(500);

    private readonly string _channel;
    private readonly string _account;
    private readonly IStore _store;
    private readonly Backlogs.Counter _counter;
    private readonly MessagingEvents _events;
    private readonly DeliveryPolicy _policy;
    private readonly TimeProvider _time;
    private readonly long _origin;
    private readonly Random _random;
    private readonly ILogger _logger;
    private readonly CancellationToken _stopping;
    private readonly LaneTable<PushLane> _lanes;
    private readonly ConcurrentDictionary<Guid, PushLane> _outside = new();
    private readonly Lock _gate = new();
    private readonly ITimer _confirmTimer;

    private IPushTarget? _target;
    private int _attachment;
    private long _claim = StoreWrite.Unfenced;
    private bool _filling;
    private bool _fillAgain;
    private int _writes;
    private bool _confirming;
    private volatile bool _crowded;

    public AccountOutbox(
        string channel,
        string account,
        IStore store,
        Backlogs.Counter counter,
        MessagingEvents events,
        MessagingOptions options,
        LaneMemory memory,
        TimeProvider time,
        Random random,
        ILogger logger,
        CancellationToken stopping)
    {
        _channel = channel;
        _account = account;
        _store = store;
        _counter = counter;
        _events = events;
        _policy = options.DeliveryOf(channel, account);
        _time = time;
        _origin = time.GetTimestamp();
        _mostHeld = options.ActiveLanes;
        _skipsKept = options.DeadLetterRetention;
        _random = random;
        _logger = logger;
        _stopping = stopping;
        _lanes = new LaneTable<PushLane>(options.ActiveLanes, options.IdleLanes, (id, key) => new PushLane(id, key, options.LaneWindow, memory));
        _confirmTimer = time.CreateTimer(_ => ConfirmDue(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>True while the account can be reached.</summary>
    public bool Attached => Volatile.Read(ref _target) is not null;

    /// <summary>Lanes with work in memory.</summary>
    public int ActiveLanes => _lanes.ActiveCount;

    /// <summary>Lanes in memory, with or without work.</summary>
    public int LanesInMemory => _lanes.Count;

    /// <summary>Messages that are outside: pushed, without a final receipt.</summary>
    public int OutsideCount => _outside.Count;

    /// <summary>The lane with the most messages before it, of those in memory; null when none has any.</summary>
    public (LaneKey Key, long Depth)? Deepest()
    {
        (LaneKey Key, long Depth)? deepest = null;
        foreach (var lane in _lanes.Active())
        {
            long depth;
            lock (lane.Gate) depth = lane.Window.Depth;
            if (depth > (deepest?.Depth ?? 0)) deepest = (lane.Key, depth);
        }

        return deepest;
    }

    /// <summary>See <see cref="IOutbox.Attach"/>.</summary>
    /// <param name="target">The client.</param>
    /// <param name="claim">The claim to the account's pushes.</param>
    public void Attach(IPushTarget target, long claim)
    {
        lock (_gate)
        {
            if (!ReferenceEquals(_target, target) || _claim != claim)
            {
                _claim = claim;
                _target = target;
                _attachment++;
            }
        }

        // Lanes that wait for the old target's acks see the new attachment and push again; what is only in the store is brought in.
        foreach (var lane in _lanes.Active()) Wake(lane);
        Fill();
    }

    /// <summary>See <see cref="IOutbox.Detach"/>.</summary>
    public void Detach(IPushTarget target)
    {
        lock (_gate)
        {
            if (!ReferenceEquals(_target, target)) return;
            _target = null;
            _attachment++;
        }

        if (target.ClosedByClient) ConfirmAll();
        foreach (var lane in _lanes.Active()) Wake(lane);
    }

    /// <summary>Takes a message that has just become durable.</summary>
    public void Offer(long laneId, LaneKey key, PushEntry entry)
    {
        if (!Attached || _stopping.IsCancellationRequested) return;
        var lane = _lanes.TryPin(laneId, key);
        if (lane is null)
        {
            Fill();
            return;
        }

        lock (lane.Gate) lane.Window.Offer(entry.Seq, entry, entry.Size);
        Wake(lane);
        _lanes.Unpin(laneId);
    }

    /// <summary>An entry with this seq exists in the store now.</summary>
    public void Announce(long laneId, LaneKey key, long seq)
    {
        if (!Attached || _stopping.IsCancellationRequested) return;
        var lane = _lanes.TryPin(laneId, key);
        if (lane is null)
        {
            Fill();
            return;
        }

        lock (lane.Gate) lane.Window.Announce(seq);
        Wake(lane);
        _lanes.Unpin(laneId);
    }

    /// <summary>Other hosts may have put something into the store without a word.</summary>
    public void Look()
    {
        if (Attached && !_stopping.IsCancellationRequested) Fill();
    }

    /// <summary>When this message was pushed and has no final receipt yet (Unix ms), or 0.</summary>
    public long PushedNow(Guid id)
    {
        if (Find(id) is not { } lane) return 0;
        lock (lane.Gate)
        {
            return (lane.Awaiting?.Id == id ? lane.Awaiting : lane.Unconfirmed.Find(entry => entry.Id == id))?.PushedAt ?? 0;
        }
    }

    /// <summary>The lane in which this message is outside: pushed, without a final receipt.</summary>
    public PushLane? Find(Guid id) => _outside.GetValueOrDefault(id);

    /// <summary>An entry was settled behind the lane's back.</summary>
    public void Forget(long laneId, LaneKey key, long seq)
    {
        var lane = _lanes.TryPin(laneId, key);
        if (lane is null) return;
        lock (lane.Gate)
        {
            // Only the head may be skipped; anything else is still to be reached, and will then be read from the store anew.
            if (lane.Awaiting?.Seq == seq) lane.Awaiting = null;
            if (lane.Window.Peek(out var head, out _) == LaneNext.Item && head == seq) lane.Window.Advance(seq);
            else lane.Window.Reset(lane.Window.Last);
        }

        Wake(lane);
        _lanes.Unpin(laneId);
    }

    /// <summary>Waits until every write that is under way is done.</summary>
    public async Task StopAsync()
    {
        await _confirmTimer.DisposeAsync().ConfigureAwait(false);
        if (Volatile.Read(ref _target) is { ClosedByClient: true }) ConfirmAll();
        while (Volatile.Read(ref _writes) > 0) await Task.Delay(TimeSpan.FromMilliseconds(10), CancellationToken.None).ConfigureAwait(false);
    }

    internal static string? Cut(string? text) => text is null ? null : SoundText.Cut(text, LongestDetail);

    /// <summary>Brings lanes with unsettled messages from the store into memory, as many as fit, until all have been.</summary>
    private void Fill()
    {
        lock (_gate)
        {
            if (_filling)
            {
                _fillAgain = true;
                return;
            }

            _filling = true;
        }

        _ = FillAsync();
    }

    private async Task FillAsync()
    {
        while (true)
        {
            try
            {
                await FillOnceAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception fault)
            {
                LogFillFailed(_logger, _channel, _account, fault);
                await Task.Delay(StoreRetryDelay, _time, CancellationToken.None).ConfigureAwait(false);
                if (Attached && !_stopping.IsCancellationRequested) continue;
            }

            lock (_gate)
            {
                if (!_fillAgain)
                {
                    _filling = false;
                    return;
                }

                _fillAgain = false;
            }
        }
    }

    private async Task FillOnceAsync()
    {
        long after = 0;
        while (Attached)
        {
            var page = await _store.ListPushLanesAsync(_channel, _account, after, FillPage, _stopping).ConfigureAwait(false);
            foreach (var pending in page)
            {
                after = pending.Id;
                PushLane? lane;
                while ((lane = _lanes.TryPin(pending.Id, pending.Key)) is null)
                {
                    // Lanes that only wait for proof of what was flushed make room: while it is crowded, a flush is proof enough.
                    _crowded = true;
                    await ConfirmAsync(_lanes.Active(), all: true).ConfigureAwait(false);
                    await _lanes.WaitForRoomAsync(_stopping).ConfigureAwait(false);
                }

                _crowded = false;
                lock (lane.Gate) lane.Window.Announce(pending.Known);
                Wake(lane);
                _lanes.Unpin(pending.Id);
            }

            if (page.Count < FillPage) return;
        }
    }

    private void Wake(PushLane lane)
    {
        lock (lane.Gate)
        {
            // Whoever walks it looks at it once more, under this lock, before leaving.
            if (lane.Walking) return;
            lane.Walking = true;
        }

        _ = WalkAsync(lane);
    }

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Milliseconds that no change of the clock touches; waits are measured by it, times are told by <see cref="Now"/>.</summary>
    private long Ticks() => (long)_time.GetElapsedTime(_origin).TotalMilliseconds;

    /// <summary>Commits and keeps count of what is under way, so that a stop can wait for it.</summary>
    private async Task CommitAsync(IReadOnlyList<StoreWrite> batch)
    {
        Interlocked.Increment(ref _writes);
        try
        {
            await _store.CommitAsync(batch, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _writes);
        }
    }

    private static void CountPush(PushOutcome outcome) =>
        Telemetry.Pushes.Add(1, new KeyValuePair<string, object?>("channelbridge.outcome", outcome switch
        {
            PushOutcome.Flushed => "flushed",
            PushOutcome.Full => "full",
            _ => "gone",
        }));

    private void Settled(PushLane lane, PushEntry entry, DeliveryState state, string? reason = null)
    {
        Telemetry.Settled.Add(1, new KeyValuePair<string, object?>("channelbridge.state", DeliveryStates.NameOf(state)));
        if (state is not (DeliveryState.Expired or DeliveryState.Dead) || !IsToTell(reason ?? "")) ForgetSkipped(lane, entry);
        LogSettled(_logger, entry.Id, entry.Message.ReplyToId, _account, DeliveryStates.NameOf(state), reason, TraceOf(entry.Message.TraceParent));
        _events.Changed(entry.Id, lane.Key, entry.Seq, state, reason);
    }

    /// <summary>The trace id of a <c>traceparent</c>, for the log.</summary>
    internal static string? TraceOf(string? traceParent) => traceParent is { Length: > 35 } ? traceParent[3..35] : null;

    private static Activity? StartPush(PushEntry entry)
    {
        var activity = Telemetry.Source.StartActivity("push", ActivityKind.Producer, Telemetry.Parent(entry.Message.TraceParent));
        activity?.SetTag("messaging.message.id", entry.Id).SetTag("channelbridge.attempt", entry.Attempts + 1);
        return activity;
    }

    [LoggerMessage(LogEvents.AccountOutboxPushed, LogLevel.Debug,
        "Push: messageId {MessageId}, answers msgId {MsgId}, of account {Account}, attempt {Attempt}, {Outcome}, trace {TraceId}.")]
    private static partial void LogPushed(ILogger logger, Guid messageId, string? msgId, string account, int attempt, PushOutcome outcome, string? traceId);

    [LoggerMessage(LogEvents.AccountOutboxSettled, LogLevel.Debug,
        "Ack: messageId {MessageId}, answers msgId {MsgId}, of account {Account}, is {State} ({Reason}), trace {TraceId}.")]
    private static partial void LogSettled(ILogger logger, Guid messageId, string? msgId, string account, string state, string? reason, string? traceId);

    [LoggerMessage(LogEvents.AccountOutboxFillFailed, LogLevel.Error, "Outbox of {Channel}/{Account}: pending lanes can't be read; trying again.")]
    private static partial void LogFillFailed(ILogger logger, string channel, string account, Exception fault);

    [LoggerMessage(LogEvents.AccountOutboxWalkFailed, LogLevel.Error, "Outbox of {Channel}/{Account}, lane {Lane}: interrupted; trying again.")]
    private static partial void LogWalkFailed(ILogger logger, string channel, string account, long lane, Exception fault);

    [LoggerMessage(LogEvents.AccountOutboxDead, LogLevel.Warning, "Message {Id} is a dead letter after {Attempts} attempts: {Reason}.")]
    private static partial void LogDead(ILogger logger, Guid id, int attempts, string reason);

    [LoggerMessage(LogEvents.AccountOutboxRetry, LogLevel.Information, "Message {Id} was not taken (attempt {Attempts}: {Reason}); next try in {Seconds} s.")]
    private static partial void LogRetry(ILogger logger, Guid id, int attempts, string reason, double seconds);

    [LoggerMessage(LogEvents.AccountOutboxReceiptLost, LogLevel.Error, "Message {Id}: its receipt can't be recorded; it may be pushed again under the same key.")]
    private static partial void LogReceiptLost(ILogger logger, Guid id, Exception fault);
}
