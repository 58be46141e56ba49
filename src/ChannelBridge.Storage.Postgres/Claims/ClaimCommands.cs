using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Claims;

/// <summary>The statements as methods, each bounded in time: a server that doesn't answer must not hold a host's claims up.</summary>
internal sealed class ClaimCommands(NpgsqlDataSource source, Guid storeId, TimeSpan limit, CancellationToken stop)
{
    /// <summary>The channel that every host listens on.</summary>
    public string CommonChannel { get; } = $"cb_{storeId:N}";

    /// <summary>What a host's own channel begins with; its number follows.</summary>
    public string HostPrefix { get; } = $"cb_{storeId:N}_";

    public async Task<long> RegisterAsync(string name, TimeSpan time) =>
        (await QueryAsync(Command(ClaimSql.Register, P(name), P(time.TotalSeconds)), row => row.GetInt64(0)).ConfigureAwait(false))[0];

    /// <summary>Renews and lists who is alive; false when the own row had expired.</summary>
    public async Task<(bool Renewed, IReadOnlyList<(long Id, string Name)> Hosts)> RenewAsync(long host, TimeSpan time)
    {
        var renewed = await QueryAsync(Command(ClaimSql.Renew, P(host), P(time.TotalSeconds)), row => row.GetInt64(0)).ConfigureAwait(false);
        return (renewed.Count > 0, await QueryAsync(Command(ClaimSql.ListHosts), row => (row.GetInt64(0), row.GetString(1))).ConfigureAwait(false));
    }

    public Task BuryAsync(long former) => ExecuteAsync(Command(ClaimSql.Bury, P(former)));

    /// <summary>Takes lanes for messages that were accepted here; the owners of the others are told of their work.</summary>
    public async Task<(List<(long Lane, long Claim)> Taken, HashSet<long> Refused)> TakeAsync(long host, long[] lanes)
    {
        var taken = await QueryAsync(Command(ClaimSql.Take, P(host), P(lanes)), ToClaim).ConfigureAwait(false);
        if (taken.Count == lanes.Length) return (taken, []);
        var rest = lanes.Except(taken.Select(t => t.Lane)).ToArray();
        var refused = await QueryAsync(Command(ClaimSql.Refused, P(host), P(rest)), row => row.GetInt64(0)).ConfigureAwait(false);
        if (refused.Count > 0) await ExecuteAsync(Command(ClaimSql.TellOwners, P(host), P(refused.ToArray()), P(HostPrefix))).ConfigureAwait(false);
        return (taken, [.. refused]);
    }

    /// <summary>Takes those of the lanes that somebody has left behind.</summary>
    public Task<List<(long Lane, long Claim)>> TakeLeftAsync(long host, long[] lanes, long now) =>
        QueryAsync(Command(ClaimSql.TakeLeft, P(host), P(lanes), P(now)), ToClaim);

    public Task ReleaseAsync(long host, (long Lane, long Claim)[] lanes) => ExecuteAsync(
        Command(ClaimSql.Release, P(host), P(Array.ConvertAll(lanes, l => l.Lane)), P(Array.ConvertAll(lanes, l => l.Claim))));

    public Task<List<PendingLane>> StillPendingAsync(long[] lanes) => QueryAsync(Command(ClaimSql.StillPending, P(lanes)), ToLane);

    public Task<List<PendingLane>> ReadInNumbersAsync(long[] lanes) => QueryAsync(Command(ClaimSql.ReadInNumbers, P(lanes)), ToLane);

    public Task<List<PendingLane>> ReadOutNumbersAsync(long[] lanes) => QueryAsync(Command(ClaimSql.ReadOutNumbers, P(lanes)), ToLane);

    public Task TellPushersAsync(long host, long[] lanes) => ExecuteAsync(Command(ClaimSql.TellPushers, P(host), P(lanes), P(HostPrefix)));

    public async Task<List<(string Channel, string Account, long Claim)>> TakePushesAsync(
        long host, IReadOnlyList<(string Channel, string Account, long Rank, string? Holder)> wanted)
    {
        string[] channels = [.. wanted.Select(w => w.Channel)], accounts = [.. wanted.Select(w => w.Account)];
        await ExecuteAsync(Command(ClaimSql.MakeAccounts, P(channels), P(accounts))).ConfigureAwait(false);
        var command = Command(
            ClaimSql.TakePushes,
            P(host),
            P(channels),
            P(accounts),
            P(wanted.Select(w => w.Rank).ToArray()),
            P<string?[]>([.. wanted.Select(w => w.Holder)]),
            P(HostPrefix));
        return await QueryAsync(command, row => (row.GetString(0), row.GetString(1), row.GetInt64(2))).ConfigureAwait(false);
    }

    public Task ReleasePushesAsync(long host, IReadOnlyList<(string Channel, string Account, long Claim)> pushes) => ExecuteAsync(Command(
        ClaimSql.ReleasePushes,
        P(host),
        P(pushes.Select(p => p.Channel).ToArray()),
        P(pushes.Select(p => p.Account).ToArray()),
        P(pushes.Select(p => p.Claim).ToArray())));

    public Task<List<(string Channel, string Account, long Claim)>> OwnPushesAsync(long host) =>
        QueryAsync(Command(ClaimSql.OwnPushes, P(host)), row => (row.GetString(0), row.GetString(1), row.GetInt64(2)));

    public Task<List<(string Channel, string Account)>> PendingPushesAsync(long host) =>
        QueryAsync(Command(ClaimSql.PendingPushes, P(host)), row => (row.GetString(0), row.GetString(1)));

    /// <summary>Tells every host.</summary>
    public Task NotifyAllAsync(string payload) => ExecuteAsync(Command(ClaimSql.Notify, P(CommonChannel), P(payload)));

    /// <summary>Gives everything back and leaves.</summary>
    public async Task LeaveAsync(long host, long[] lanes)
    {
        await ExecuteAsync(Command(ClaimSql.ReleaseLanes, P(host), P(lanes))).ConfigureAwait(false);
        await ExecuteAsync(Command(ClaimSql.ReleaseAllPushes, P(host))).ConfigureAwait(false);
        await ExecuteAsync(Command(ClaimSql.Unregister, P(host))).ConfigureAwait(false);
        await NotifyAllAsync("k").ConfigureAwait(false);
    }

    private static (long Lane, long Claim) ToClaim(NpgsqlDataReader row) => (row.GetInt64(0), row.GetInt64(1));

    private static PendingLane ToLane(NpgsqlDataReader row) =>
        new(row.GetInt64(0), new LaneKey(row.GetString(1), row.GetString(2), row.GetString(3)), row.GetInt64(4));

    private async Task ExecuteAsync(NpgsqlCommand command) => await QueryAsync(command, static _ => 0).ConfigureAwait(false);

    private async Task<List<T>> QueryAsync<T>(NpgsqlCommand command, Func<NpgsqlDataReader, T> row)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stop);
        timeout.CancelAfter(limit);
        // The wait ends on time even where the driver, trying to cancel on a dead line, doesn't.
        return await RunAsync(command, row, timeout.Token).WaitAsync(timeout.Token).ConfigureAwait(false);
    }

    private async Task<List<T>> RunAsync<T>(NpgsqlCommand command, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken)
    {
        try
        {
            await using (command.ConfigureAwait(false))
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    var rows = new List<T>();
                    while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) rows.Add(row(reader));
                    return rows;
                }
            }
        }
        catch (Exception e) when (PostgresErrors.LeavesConnectionInDoubt(e))
        {
            source.Clear();
            throw;
        }
    }

    private NpgsqlCommand Command(string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = source.CreateCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(parameter);
        return command;
    }

    private static NpgsqlParameter<T> P<T>(T value) => Parameters.Of(value);
}
