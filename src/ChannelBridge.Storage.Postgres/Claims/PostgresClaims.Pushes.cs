namespace ChannelBridge.Storage.Postgres.Claims;

/// <content>Whose clients get an account's messages: one host's at a time.</content>
internal sealed partial class PostgresClaims
{
    /// <summary>Writes what has changed; true when something is left.</summary>
    private async Task<bool> SettlePushesAsync(HostLease lease)
    {
        List<(string Channel, string Account, long Claim)> drops = [];
        List<(string Channel, string Account, long Rank, string? Holder)> takes = [];
        var left = false;
        lock (_pushes)
        {
            foreach (var (key, wish) in _pushes)
            {
                if (!wish.Dirty) continue;
                if (takes.Count + drops.Count == Batch)
                {
                    left = true;
                    break;
                }

                wish.Dirty = false;
                if (wish.Wanted) takes.Add((key.Channel, key.Account, wish.Rank, wish.Holder));
                else drops.Add((key.Channel, key.Account, wish.Claim));
            }

            foreach (var (channel, account, _) in drops) _pushes.Remove((channel, account));
        }

        // Nothing is lost by a failure: an account that couldn't be given back is free when its next client comes, whatever host that is on.
        if (drops.Exists(drop => drop.Claim != 0))
        {
            await _commands.ReleasePushesAsync(lease.Host, [.. drops.Where(drop => drop.Claim != 0)]).ConfigureAwait(false);
            await _commands.NotifyAllAsync("f").ConfigureAwait(false);
        }

        if (takes.Count > 0) await TakePushesAsync(lease, takes).ConfigureAwait(false);
        return left;
    }

    private async Task TakePushesAsync(HostLease lease, List<(string Channel, string Account, long Rank, string? Holder)> takes)
    {
        Dictionary<(string, string), long> taken;
        try
        {
            taken = (await _commands.TakePushesAsync(lease.Host, takes).ConfigureAwait(false)).ToDictionary(t => (t.Channel, t.Account), t => t.Claim);
        }
        catch
        {
            lock (_pushes)
            {
                foreach (var (channel, account, _, _) in takes)
                {
                    if (_pushes.TryGetValue((channel, account), out var wish)) wish.Dirty = true;
                }
            }

            throw;
        }

        List<(string Channel, string Account, long Claim)> news = [];
        lock (_pushes)
        {
            foreach (var (channel, account, _, _) in takes)
            {
                if (!_pushes.TryGetValue((channel, account), out var wish)) continue;
                wish.Claim = taken.GetValueOrDefault((channel, account));
                wish.Refused = wish.Claim == 0;
                // Asked for anew meanwhile, for a newer client: its claim is on its way.
                if (!wish.Dirty) news.Add((channel, account, wish.Claim));
            }
        }

        foreach (var (channel, account, claim) in news)
        {
            if (claim != 0) _observer.OnPushesTaken(channel, account, claim);
            else _observer.OnPushesLost(channel, account, displaced: true);
        }
    }

    /// <summary>Compares with what the database says: an account that another host took is lost, whether its notification came or not.</summary>
    private async Task CheckPushesAsync(HostLease lease)
    {
        Dictionary<(string, string), long> before;
        lock (_pushes) before = _pushes.Where(pair => pair.Value.Claim != 0).ToDictionary(pair => pair.Key, pair => pair.Value.Claim);
        var own = (await _commands.OwnPushesAsync(lease.Host).ConfigureAwait(false)).ToDictionary(p => (p.Channel, p.Account), p => p.Claim);
        List<(string Channel, string Account)> lost = [];
        List<(string Channel, string Account, long Claim)> forgotten;
        lock (_pushes) forgotten = [.. own.Where(pair => !_pushes.ContainsKey(pair.Key)).Select(pair => (pair.Key.Item1, pair.Key.Item2, pair.Value))];
        // Those whose release failed. Otherwise they would stay this host's, without a client, as long as it lives.
        if (forgotten.Count > 0) await _commands.ReleasePushesAsync(lease.Host, forgotten).ConfigureAwait(false);
        lock (_pushes)
        {
            foreach (var (key, claim) in before)
            {
                if (own.GetValueOrDefault(key) == claim || !_pushes.TryGetValue(key, out var wish) || wish.Claim != claim) continue;
                (wish.Claim, wish.Refused) = (0, true);
                lost.Add(key);
            }
        }

        foreach (var (channel, account) in lost) _observer.OnPushesLost(channel, account, displaced: true);
    }

    /// <summary>Accounts that other hosts had may be free now.</summary>
    private void RetryPushes()
    {
        lock (_pushes)
        {
            foreach (var wish in _pushes.Values)
            {
                if (wish.Refused && wish.Wanted) wish.Dirty = true;
            }
        }

        Signal();
    }
}
