using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <content>What is brought from the store: lanes with work, and the messages of one.</content>
internal sealed partial class TurnScheduler
{
    private const int ResumePage = 512;
    private const int TakeAtOnce = 128;

    /// <summary>How much a single read may bring: a few large messages, or a window of small ones.</summary>
    private const int ReadBytes = 256 * 1024;

    private volatile bool _lookAtAll = true;
    private long _lookedUpTo;

    /// <summary>Looks how much a lane holds that isn't in memory.</summary>
    private async Task MeasureAsync(long laneId, LaneKey key, long last)
    {
        try
        {
            var first = await _store.ReadInboxAsync(laneId, 0, 1, 1, _stop.Token).ConfigureAwait(false);
            if (first.Count > 0 && _lanes.Look(laneId) is null) Bound.Note(key, laneId, last - first[0].Ordinal + 1);
        }
        catch (Exception)
        {
            // Stopping, or the store can't be read; the next message of the lane looks again.
        }
    }

    private async Task LoadAsync(TurnLane lane)
    {
        try
        {
            long after, known;
            int limit;
            lock (lane.Gate)
            {
                after = Math.Max(lane.Window.Last, 0);
                known = lane.Window.Known;
                limit = lane.Window.LoadLimit;
            }

            var entries = await _store.ReadInboxAsync(lane.Id, after, limit, ReadBytes, _stop.Token).ConfigureAwait(false);
            var items = new List<(long, TurnItem, int)>(entries.Count);
            var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
            foreach (var entry in entries)
            {
                var message = MessageCodec.ReadInbound(entry.Payload.Span);
                var due = entry.NextAttemptAt == 0 ? 0 : DueAfter(TimeSpan.FromMilliseconds(Math.Min(entry.NextAttemptAt - now, LongestWait.TotalMilliseconds)));
                var item = new TurnItem(entry.Id, entry.Ordinal, message, entry.Attempts, due, entry.Payload.Length, _runner.FailingFor(entry.Attempts));
                items.Add((entry.Ordinal, item, item.Size));
            }

            lock (lane.Gate) lane.Window.Load(items, complete: entries.Count == 0, known);
            Step(lane);
        }
        catch (OperationCanceledException)
        {
            // Stopping: the lane's messages are in the store.
        }
        catch (Exception fault)
        {
            LogLoadFailed(_logger, lane.Id, fault);
            StepAfter(lane, StoreRetryDelay);
        }
    }

    /// <summary>Brings lanes with work from the store into memory: at start, and whenever some had to stay outside.</summary>
    private async Task ResumeAsync()
    {
        try
        {
            while (await _resume.Reader.WaitToReadAsync(_stop.Token).ConfigureAwait(false))
            {
                _resume.Reader.TryRead(out _);
                try
                {
                    await ResumeOnceAsync().ConfigureAwait(false);
                }
                catch (Exception fault) when (fault is not OperationCanceledException)
                {
                    LogResumeFailed(_logger, fault);
                    await Task.Delay(StoreRetryDelay, _time, _stop.Token).ConfigureAwait(false);
                    _lookAtAll = true;
                    _resume.Writer.TryWrite(true);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task ResumeOnceAsync()
    {
        // Where other hosts work too, what is pending is mostly theirs: a round looks at a page of it, and at all of it only after something has happened.
        var everything = !_claims.IsShared || _lookAtAll;
        _lookAtAll = false;
        var after = everything ? 0 : _lookedUpTo;
        while (true)
        {
            var page = await _store.ListTurnLanesAsync(after, ResumePage, _stop.Token).ConfigureAwait(false);
            if (page.Count > 0) after = page[^1].Id;
            for (var from = 0; from < page.Count; from += TakeAtOnce)
            {
                IReadOnlyList<PendingLane> some = [.. page.Skip(from).Take(TakeAtOnce)];
                await TakeUpAsync(await _claims.TakeAsync(some, _stop.Token).ConfigureAwait(false)).ConfigureAwait(false);
            }

            _lookedUpTo = page.Count < ResumePage ? 0 : after;
            if (page.Count < ResumePage || !everything) return;
        }
    }

    private async Task TakeUpAsync(IReadOnlyList<PendingLane> lanes)
    {
        foreach (var pending in lanes)
        {
            TurnLane? lane;
            while ((lane = _lanes.TryPin(pending.Id, pending.Key)) is null) await _lanes.WaitForRoomAsync(_stop.Token).ConfigureAwait(false);
            lock (lane.Gate) lane.Window.Announce(pending.Known);
            Wake(lane);
            _lanes.Unpin(pending.Id);
        }
    }

    [LoggerMessage(LogEvents.TurnSchedulerLoadFailed, LogLevel.Error, "Lane {Lane}: its messages can't be read; trying again.")]
    private static partial void LogLoadFailed(ILogger logger, long lane, Exception fault);

    [LoggerMessage(LogEvents.TurnSchedulerResumeFailed, LogLevel.Error, "Pending lanes can't be read; trying again.")]
    private static partial void LogResumeFailed(ILogger logger, Exception fault);
}
