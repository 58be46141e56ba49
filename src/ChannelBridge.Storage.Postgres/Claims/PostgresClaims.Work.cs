using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Postgres.Claims;

/// <content>Takes and releases, in batches.</content>
internal sealed partial class PostgresClaims
{
    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RefusedPause = TimeSpan.FromSeconds(5);

    private async Task WorkAsync()
    {
        var wait = Tick;
        var ticked = _time.GetTimestamp();
        var (retried, looked) = (ticked, ticked);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _signal.WaitAsync(wait, _stop.Token).ConfigureAwait(false);
                Volatile.Write(ref _signalled, 0);
                if (Elapsed(ref ticked, Tick))
                {
                    _observer.OnLook(everything: false);
                    await ReleaseIdleAsync().ConfigureAwait(false);
                }

                if (Elapsed(ref retried, RefusedPause)) RetryPushes();
                if (Elapsed(ref looked, PushLook)) _lookAtPushes = true;
                wait = await WorkOnceAsync().ConfigureAwait(false) ? Again : Tick;
                _work.Succeeded();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                if (_work.Failed()) LogWorkFailed(fault);
                wait = FailurePause;
            }
        }
    }

    private bool Elapsed(ref long since, TimeSpan interval)
    {
        if (_time.GetElapsedTime(since) < interval) return false;
        since = _time.GetTimestamp();
        return true;
    }

    /// <summary>One round; true when something is left that may succeed in a moment.</summary>
    private async Task<bool> WorkOnceAsync()
    {
        if (_lease is not { } lease || !IsValid(lease)) return false;
        var left = await HearTurnsAsync().ConfigureAwait(false);
        left |= await HearPushesAsync().ConfigureAwait(false);
        left |= await TakeWantedAsync().ConfigureAwait(false);
        await PassOnAsync(lease).ConfigureAwait(false);
        if (await SettlePushesAsync(lease).ConfigureAwait(false)) left = true;
        left |= await TellAsync(lease).ConfigureAwait(false);
        // One that isn't told because the database doesn't answer is found by the look into the records.
        while (_urgent.Reader.TryRead(out var turn)) await _commands.NotifyAllAsync($"c{turn:N}").ConfigureAwait(false);
        if (_checkPushes)
        {
            _checkPushes = false;
            await CheckPushesAsync(lease).ConfigureAwait(false);
        }

        if (_lookAtPushes)
        {
            _lookAtPushes = false;
            _observer.OnPushLook(await _commands.PendingPushesAsync(lease.Host).ConfigureAwait(false));
        }

        return left;
    }

    private async Task<bool> TakeWantedAsync()
    {
        if (_wants.IsEmpty) return false;
        PendingLane[] wanted = [.. _wants.Values.Take(Batch)];
        var (taken, refused) = await TakeCoreAsync(wanted, accepted: true).ConfigureAwait(false);
        foreach (var lane in taken.Concat(refused)) _wants.TryRemove(KeyValuePair.Create(lane.Id, lane));
        _observer.OnTurnWork(taken);
        if (refused.Count > 0) _observer.OnTurnsRefused(refused);
        return !_wants.IsEmpty;
    }

    private async Task<(IReadOnlyList<PendingLane> Taken, IReadOnlyList<PendingLane> Refused)> TakeCoreAsync(IReadOnlyList<PendingLane> lanes, bool accepted)
    {
        await _taking.WaitAsync(_stop.Token).ConfigureAwait(false);
        try
        {
            if (_lease is not { } lease || !IsValid(lease)) return ([], []);
            var held = _held;
            List<PendingLane> mine = [], others = [], asked = [];
            foreach (var lane in lanes)
            {
                if (held.ContainsKey(lane.Id)) mine.Add(lane);
                else if (IsShunned(lane.Id)) others.Add(lane);
                else asked.Add(lane);
            }

            if (asked.Count == 0) return (mine, others);
            long[] ids = [.. asked.Select(lane => lane.Id)];
            var (taken, refused) = accepted
                ? await _commands.TakeAsync(lease.Host, ids).ConfigureAwait(false)
                : (await _commands.TakeLeftAsync(lease.Host, ids, _time.GetUtcNow().ToUnixTimeMilliseconds()).ConfigureAwait(false), []);
            var now = _time.GetTimestamp();
            foreach (var (lane, claim) in taken) held[lane] = new HeldLane(claim, now);
            var tokens = taken.Select(t => t.Lane).ToHashSet();
            mine.AddRange(asked.Where(lane => tokens.Contains(lane.Id)));
            others.AddRange(asked.Where(lane => refused.Contains(lane.Id)));
            return (mine, others);
        }
        finally
        {
            _taking.Release();
        }
    }

    private bool IsShunned(long lane)
    {
        if (!_shunned.TryGetValue(lane, out var since)) return false;
        if (_time.GetElapsedTime(since) < Shun) return true;
        _shunned.TryRemove(KeyValuePair.Create(lane, since));
        return false;
    }

    private async Task ReleaseIdleAsync()
    {
        foreach (var lane in _shunned.Keys) IsShunned(lane);
        if (_lease is not { } lease) return;
        var held = _held;
        List<(long Lane, long Claim)> idle = [];
        foreach (var (lane, entry) in held)
        {
            if (idle.Count == Batch) break;
            lock (entry)
            {
                if (entry.Busy || _time.GetElapsedTime(entry.IdleSince) < _options.ClaimLinger) continue;
                entry.Gone = true;
            }

            held.TryRemove(KeyValuePair.Create(lane, entry));
            idle.Add((lane, entry.Claim));
        }

        if (idle.Count == 0) return;
        if (idle.Count == Batch) Signal();
        await ReleaseAsync(lease, idle).ConfigureAwait(false);
        foreach (var pending in await _commands.StillPendingAsync([.. idle.Select(i => i.Lane)]).ConfigureAwait(false)) Want(pending);
    }

    private async Task PassOnAsync(HostLease lease)
    {
        List<(long Lane, long Claim)> passed = [];
        while (passed.Count < Batch && _passing.TryDequeue(out var next)) passed.Add((next.Lane.Id, next.Claim));
        if (passed.Count == 0) return;
        await ReleaseAsync(lease, passed).ConfigureAwait(false);
        await _commands.NotifyAllAsync("w" + string.Join(',', passed.Select(p => p.Lane))).ConfigureAwait(false);
    }

    private async Task ReleaseAsync(HostLease lease, List<(long Lane, long Claim)> lanes)
    {
        // Not while lanes are taken: a lane that was given back here must not be taken under it by a statement that is on its way.
        await _taking.WaitAsync(_stop.Token).ConfigureAwait(false);
        try
        {
            await _commands.ReleaseAsync(lease.Host, [.. lanes]).ConfigureAwait(false);
        }
        finally
        {
            _taking.Release();
        }
    }

    /// <summary>Others have accepted messages for lanes that are, or were, this host's.</summary>
    private async Task<bool> HearTurnsAsync()
    {
        var lanes = Drain(_turnNews);
        if (lanes.Length == 0) return false;
        foreach (var lane in await _commands.ReadInNumbersAsync(lanes).ConfigureAwait(false))
        {
            if (_held.ContainsKey(lane.Id)) _observer.OnTurnWork([lane]);
            else Want(lane);
        }

        return !_turnNews.IsEmpty;
    }

    private async Task<bool> HearPushesAsync()
    {
        var lanes = Drain(_pushNews);
        if (lanes.Length == 0) return false;
        _observer.OnPushWork(await _commands.ReadOutNumbersAsync(lanes).ConfigureAwait(false));
        return !_pushNews.IsEmpty;
    }

    private async Task<bool> TellAsync(HostLease lease)
    {
        var lanes = Drain(_tells);
        if (lanes.Length == 0) return false;
        try
        {
            await _commands.TellPushersAsync(lease.Host, lanes).ConfigureAwait(false);
        }
        catch
        {
            foreach (var lane in lanes) _tells[lane] = 0;
            throw;
        }

        return !_tells.IsEmpty;
    }

    private static long[] Drain(ConcurrentDictionary<long, byte> lanes)
    {
        if (lanes.IsEmpty) return [];
        long[] some = [.. lanes.Keys.Take(Batch)];
        foreach (var lane in some) lanes.TryRemove(lane, out _);
        return some;
    }

    private async Task CountAsync()
    {
        var pause = CountPause;
        while (!_stop.IsCancellationRequested)
        {
            await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.IsCancellationRequested) return;
            var started = _time.GetTimestamp();
            try
            {
                _observer.OnCounts(await _store.CountAsync(_stop.Token).ConfigureAwait(false));
            }
            catch (Exception fault)
            {
                LogNotCounted(fault);
            }

            // A count of a long backlog takes its time: it must stay a small share of what the database does.
            var longest = _time.GetElapsedTime(started) * 50;
            pause = longest > CountPause ? longest : CountPause;
        }
    }
}
