using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Postgres.Claims;

/// <content>The host's own row: registered, renewed, lost.</content>
internal sealed partial class PostgresClaims
{
    private async Task RenewAsync()
    {
        var interval = _options.ClaimTime / 4;
        var pause = interval;
        while (!_stop.IsCancellationRequested)
        {
            await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.IsCancellationRequested) return;
            pause = await RenewOnceAsync().ConfigureAwait(false) ? interval : interval / 4;
        }
    }

    private async Task<bool> RenewOnceAsync()
    {
        try
        {
            if (_lease is not { } lease)
            {
                await RegisterAsync(_ownRow).ConfigureAwait(false);
                await _ownRow.BuryAsync(Interlocked.Exchange(ref _former, 0)).ConfigureAwait(false);
                return true;
            }

            var sent = _time.GetTimestamp();
            var (renewed, hosts) = await _ownRow.RenewAsync(lease.Host, _options.ClaimTime).ConfigureAwait(false);
            // An answer that came too late, after a stop of the process, say, is no renewal: what was believed lost is lost.
            if (!renewed || !IsValid(lease))
            {
                Lose(lease);
                return false;
            }

            _lease = lease with { ValidUntil = After(sent) };
            _renewals.Succeeded();
            Compare(hosts);
            return true;
        }
        catch (Exception fault) when (!_stop.IsCancellationRequested)
        {
            if (_renewals.Failed()) LogNotRenewed(fault);
            if (_lease is { } lease && !IsValid(lease)) Lose(lease);
            return false;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task RegisterAsync(ClaimCommands commands)
    {
        var sent = _time.GetTimestamp();
        var host = await commands.RegisterAsync($"{Environment.MachineName}:{Environment.ProcessId}", _options.ClaimTime).ConfigureAwait(false);
        _lease = new HostLease(host, After(sent));
        _renewals.Succeeded();
        LogRegistered(host);
        lock (_pushes)
        {
            foreach (var wish in _pushes.Values) wish.Dirty = true;
        }

        _observer.OnLook(everything: true);
        await _listenAnew.CancelAsync().ConfigureAwait(false);
        Signal();
    }

    /// <summary>Nothing is this host's any more. What runs goes on, and is turned away at its next write if another host has taken over.</summary>
    private void Lose(HostLease lease)
    {
        LogLost(lease.Host);
        _former = lease.Host;
        _lease = null;
        Interlocked.Exchange(ref _held, new ConcurrentDictionary<long, HeldLane>());
        List<PendingLane> wants = [];
        foreach (var lane in _wants.Keys)
        {
            if (_wants.TryRemove(lane, out var want)) wants.Add(want);
        }

        _observer.OnTurnsRefused(wants);
        List<(string Channel, string Account)> lost = [];
        lock (_pushes)
        {
            foreach (var (key, wish) in _pushes)
            {
                if (wish.Claim != 0) lost.Add(key);
                (wish.Claim, wish.Dirty, wish.Refused) = (0, true, false);
            }
        }

        foreach (var (channel, account) in lost) _observer.OnPushesLost(channel, account, displaced: false);
    }

    /// <summary>A host that was there and isn't leaves lanes behind, and perhaps notifications that it didn't send any more.</summary>
    private void Compare(IReadOnlyList<(long Id, string Name)> hosts)
    {
        var gone = _hosts.Where(before => hosts.All(now => now.Id != before.Id)).Select(before => before.Id).ToList();
        _hosts = hosts;
        _checkPushes = true;
        if (gone.Count > 0)
        {
            foreach (var host in gone) LogGone(host);
            LookAround();
        }

        Signal();
    }

    private void LookAround()
    {
        RetryPushes();
        _lookAtPushes = true;
        _observer.OnLook(everything: true);
        Signal();
    }

    private long After(long timestamp) => timestamp + (long)(_options.ClaimTime.TotalSeconds * _time.TimestampFrequency);

    private long _former;
}
