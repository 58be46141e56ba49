using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <content>Holes in a lane's numbers: the next push tells which messages don't come, and why.</content>
internal sealed partial class AccountOutbox
{
    /// <summary>Ranges that one push tells of at most; the rest is told by the next.</summary>
    private const int MostSkipsTold = 64;

    private const int SkipsForgottenAtOnce = 256;

    // Hosts that share a store end the time of messages for each other, as often as that.
    private static readonly TimeSpan SkipLook = TimeSpan.FromSeconds(15);

    private readonly TimeSpan _skipsKept;
    private volatile bool _anySkips;
    private int _skipsAskedFor = -1;
    private long _skipsAskedAt;
    private int _skipsNoted;

    /// <summary>True when the client can't know of the end of a message by itself: it hasn't refused it for good.</summary>
    private static bool IsToTell(string reason) => reason is not (FatalAck or PermanentRefusal);

    /// <summary>The numbers before an entry whose messages don't come, as far as nothing that was told of them has been taken.</summary>
    private async ValueTask<IReadOnlyList<SkippedMessages>> SkippedBeforeAsync(PushLane lane, PushEntry entry)
    {
        if (entry.Seq == 1) return [];
        int attachment;
        bool known;
        lock (lane.Gate) (attachment, known) = (lane.Attachment, lane.Skipped is not null);
        if (!await AnySkipsAsync(attachment).ConfigureAwait(false)) return [];
        if (!known)
        {
            var stored = await SkipRecords.ReadAsync(_store, lane.Key, _stopping).ConfigureAwait(false);
            lock (lane.Gate) lane.Skipped = stored;
        }

        lock (lane.Gate)
        {
            if (lane.Skipped is not { Count: > 0 } all || all[0].To >= entry.Seq) return [];
            var seq = entry.Seq;
            return [.. all.TakeWhile(range => range.To < seq).Take(MostSkipsTold)];
        }
    }

    /// <summary>Whether any lane of the account has holes to tell of: mostly none has, and then no lane is looked at.</summary>
    private async ValueTask<bool> AnySkipsAsync(int attachment)
    {
        if (_anySkips && Volatile.Read(ref _skipsAskedFor) == attachment) return true;
        var ticks = Ticks();
        var isFresh = _policy.TimeToLive is null || ticks - Volatile.Read(ref _skipsAskedAt) < SkipLook.TotalMilliseconds;
        if (Volatile.Read(ref _skipsAskedFor) == attachment && isFresh) return false;
        // One lane asks; until the attachment is noted below, those of a new one ask for themselves.
        Volatile.Write(ref _skipsAskedAt, ticks);
        var noted = Volatile.Read(ref _skipsNoted);
        var any = await SkipRecords.AnyAsync(_store, _channel, _account, _stopping).ConfigureAwait(false);
        lock (_gate)
        {
            // What was noted during the read may not be in it.
            _anySkips = any || noted != _skipsNoted;
            Volatile.Write(ref _skipsAskedFor, attachment);
            return _anySkips;
        }
    }

    /// <summary>A message was given up here; under the lane's lock, after the commit.</summary>
    private void NoteSkipped(PushLane lane, long seq, DeliveryState state)
    {
        lock (_gate) (_skipsNoted, _anySkips) = (_skipsNoted + 1, true);
        if (lane.Skipped is { } known) SkipRecords.Add(known, seq, state);
    }

    /// <summary>A push was taken: the next one needn't tell what this one told. Under the lane's lock.</summary>
    private static void SkippedWereTold(PushLane lane, PushEntry entry)
    {
        if (entry.Told.Count == 0 || lane.Skipped is not { Count: > 0 } all) return;
        var last = entry.Told[^1].To;
        all.RemoveAll(range => range.To <= last);
    }

    /// <summary>A push has been settled: what it told of needn't be told any more, to nobody.</summary>
    private void ForgetSkipped(PushLane lane, PushEntry entry)
    {
        if (entry.Told.Count == 0) return;
        lock (lane.Gate) SkippedWereTold(lane, entry);
        _ = ForgetSkippedAsync(lane.Key, entry.Told);
    }

    private async Task ForgetSkippedAsync(LaneKey lane, IReadOnlyList<SkippedMessages> told)
    {
        try
        {
            var numbers = told.SelectMany(range => Enumerable.Range(0, (int)(range.To - range.From + 1)).Select(step => range.From + step));
            foreach (var some in numbers.Chunk(SkipsForgottenAtOnce)) await CommitAsync([.. some.Select(seq => SkipRecords.Delete(lane, seq))]).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Told once more, after the next time that somebody connects.
        }
    }
}
