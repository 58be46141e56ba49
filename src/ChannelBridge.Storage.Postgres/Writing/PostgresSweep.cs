using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres.Reading;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <summary>
/// Removes what has outlived its time, in steps that are transactions of their own. Rows that somebody else has locked are left to the next sweep, so
/// several hosts may sweep at once.
/// </summary>
internal static class PostgresSweep
{
    private const int Step = 500;

    private const string Inbox =
        """
        WITH d AS (DELETE FROM inbox WHERE uuid = ANY(ARRAY(
            SELECT uuid FROM inbox WHERE state = 1 AND dedupe_until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1)
        SELECT count(*) FROM d
        """;

    private const string InboxDead =
        """
        WITH d AS (DELETE FROM inbox WHERE uuid = ANY(ARRAY(
            SELECT uuid FROM inbox WHERE state = 2 AND ended_at < $3 AND dedupe_until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1)
        SELECT count(*) FROM d
        """;

    private const string InboxKeys =
        """
        WITH d AS (DELETE FROM inbox_key WHERE key = ANY(ARRAY(SELECT key FROM inbox_key WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1)
        SELECT count(*) FROM d
        """;

    private const string Outbox =
        """
        WITH d AS (DELETE FROM outbox WHERE uuid = ANY(ARRAY(
            SELECT uuid FROM outbox WHERE accepted_at >= $4 AND accepted_at < greatest($1, $3) AND settled
                AND (state < 4 AND greatest(accepted_at, pushed_at, acked_at, delivered_at) < $1 OR state >= 4 AND ended_at < $3)
            ORDER BY accepted_at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING accepted_at)
        SELECT count(*), coalesce(max(accepted_at), 0) FROM d
        """;

    private const string Records =
        """
        WITH d AS (DELETE FROM record WHERE (ns, key) IN (
            SELECT ns, key FROM record WHERE expires_at > 0 AND expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1)
        SELECT count(*) FROM d
        """;

    private const string Logs =
        """
        WITH d AS (DELETE FROM log_entry WHERE (log, number) IN (
            SELECT log, number FROM log_entry WHERE expires_at > 0 AND expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1)
        SELECT count(*) FROM d
        """;

    /// <summary>Sweeps everything; returns how many rows went. Dedupe keys don't count: their entries did.</summary>
    public static async ValueTask<long> RunAsync(PostgresReader reader, SweepLimits limits, CancellationToken cancellationToken)
    {
        var removed = await LoopAsync(Inbox, false).ConfigureAwait(false);
        removed += await LoopAsync(InboxDead, true).ConfigureAwait(false);
        await LoopAsync(InboxKeys, false).ConfigureAwait(false);
        removed += await LoopAsync(Records, false).ConfigureAwait(false);
        removed += await LoopAsync(Logs, false).ConfigureAwait(false);

        var cursor = long.MinValue;
        while (true)
        {
            var step = await reader.ReadAsync(
                Outbox,
                [PostgresReader.P(limits.SettledBefore), PostgresReader.P(Step), PostgresReader.P(limits.DeadBefore), PostgresReader.P(cursor)],
                row => (Count: row.GetInt64(0), Last: row.GetInt64(1)),
                cancellationToken).ConfigureAwait(false);
            removed += step[0].Count;
            if (step[0].Count < Step) return removed;
            cursor = step[0].Last;
        }

        async ValueTask<long> LoopAsync(string sql, bool dead)
        {
            var total = 0L;
            while (true)
            {
                List<Npgsql.NpgsqlParameter> parameters = [PostgresReader.P(limits.Now), PostgresReader.P(Step)];
                if (dead) parameters.Add(PostgresReader.P(limits.DeadBefore));
                var step = await reader.ReadAsync(sql, parameters, row => row.GetInt64(0), cancellationToken).ConfigureAwait(false);
                total += step[0];
                if (step[0] < Step) return total;
            }
        }
    }
}
