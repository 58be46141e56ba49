using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>Holding: messages that the platform takes only after their user has written again.</summary>
internal sealed partial class AccountOutbox
{
    private readonly int _mostHeld;
    private readonly ConcurrentDictionary<long, (LaneKey Key, string Route)> _held = new();

    /// <summary>The user wrote in this lane: what is held for that, in this and in other lanes of the same route, is due.</summary>
    public async ValueTask ReleaseAsync(long laneId, LaneKey key, string route)
    {
        await ReleaseAsync(laneId, key).ConfigureAwait(false);
        foreach (var (id, held) in _held)
        {
            if (id != laneId && held.Route == route) await ReleaseAsync(id, held.Key).ConfigureAwait(false);
        }
    }

    private async ValueTask ReleaseAsync(long laneId, LaneKey key)
    {
        var lane = _lanes.TryPin(laneId, key);
        try
        {
            if (lane is not null)
            {
                // A refusal that is just being recorded sees it, see HoldAsync.
                lock (lane.Gate) lane.Releases++;
            }

            var stored = await _store.ReadOutboxAsync(laneId, 0, 1, ReadBytes, _stopping).ConfigureAwait(false);
            if (stored is [{ NextAttemptAt: Held } head, ..]) await UnholdAsync(lane, laneId, head.Seq, head.Attempts).ConfigureAwait(false);
            _held.TryRemove(laneId, out _);
            if (lane is not null) Wake(lane);
        }
        finally
        {
            if (lane is not null) _lanes.Unpin(laneId);
        }
    }

    /// <summary>Notes a refusal that says "not before the user writes". False when the user has written since the push: then it is tried again at once.</summary>
    private async Task<bool> HoldAsync(PushLane lane, PushEntry entry, string? detail, IReadOnlyList<RecordWrite>? records)
    {
        // Pinned, so that whoever releases it meanwhile does that to this object.
        var pinned = _lanes.TryPin(lane.Id, lane.Key) is not null;
        try
        {
            return await RecordHoldAsync(lane, entry, detail, records).ConfigureAwait(false);
        }
        finally
        {
            if (pinned) _lanes.Unpin(lane.Id);
        }
    }

    private async Task<bool> RecordHoldAsync(PushLane lane, PushEntry entry, string? detail, IReadOnlyList<RecordWrite>? records)
    {
        lock (lane.Gate)
        {
            if (!ReferenceEquals(lane.Awaiting, entry) || entry.Ending) return false;
            lane.Awaiting = null;
            _outside.TryRemove(entry.Id, out _);
            if (lane.Releases != entry.ReleasesAtPush)
            {
                entry.DueAt = 0;
                return false;
            }

            entry.DueAt = Held;
            LogHeld(_logger, entry.Id);
            _events.Changed(entry.Id, lane.Key, entry.Seq, DeliveryState.Accepted, HeldReason);
        }

        await CommitAsync(
            records.Along(
                new OutboxUpdate
                {
                    LaneId = lane.Id,
                    Seq = entry.Seq,
                    State = DeliveryState.Accepted,
                    Settled = false,
                    Attempts = entry.Attempts,
                    NextAttemptAt = Held,
                    Error = HeldReason,
                    HistoryLine = MessageCodec.Write(new AttemptRecord(Now(), entry.Attempts + 1, HeldReason, Cut(detail), entry.ConnectionId)),
                    At = Now(),
                    PushedAt = entry.PushedAt,
                    Claim = Volatile.Read(ref _claim),
                })).ConfigureAwait(false);
        lock (lane.Gate)
        {
            if (lane.Releases == entry.ReleasesAtPush) return true;
        }

        // The user wrote while that was being recorded, and whoever released it may not have seen it yet.
        await UnholdAsync(lane, lane.Id, entry.Seq, entry.Attempts).ConfigureAwait(false);
        return false;
    }

    private async Task UnholdAsync(PushLane? lane, long laneId, long seq, int attempts)
    {
        await CommitAsync(
            [
                new OutboxUpdate
                {
                    LaneId = laneId,
                    Seq = seq,
                    State = DeliveryState.Accepted,
                    Settled = false,
                    Attempts = attempts,
                    NextAttemptAt = 0,
                    At = Now(),
                    // The user may have written through any host.
                    Claim = StoreWrite.Unfenced,
                },
            ]).ConfigureAwait(false);
        if (lane is null) return;
        lock (lane.Gate)
        {
            if (lane.Window.Peek(out _, out var head) == LaneNext.Item && head!.Seq == seq) head.DueAt = 0;
        }
    }

    /// <summary>Remembers which route a held lane waits for, so that a message in another lane of the route releases it, too.</summary>
    private void Hold(PushLane lane, string route)
    {
        if (_held.Count < _mostHeld) _held[lane.Id] = (lane.Key, route);
    }

    [LoggerMessage(LogEvents.AccountOutboxHeld, LogLevel.Information, "Message {Id} is held until its user writes again.")]
    private static partial void LogHeld(ILogger logger, Guid id);
}
