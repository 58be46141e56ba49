using ChannelBridge.Abstractions.Storage;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <content>Numbered logs.</content>
internal sealed partial class GroupCommand
{
    // Makes the group's logs and locks them, in the order of their names, until the commit: so two hosts never wait for each other in a circle, the
    // statement that appends sees what others have appended, and numbers become visible in order. The condition that is never met locks a row without
    // writing it anew.
    private void AddLogLock(NpgsqlBatch batch)
    {
        var names = _stages.SelectMany(s => s.Writes).Concat(plan.Following).OfType<SequenceAppend>().Select(w => w.Sequence).Distinct().ToArray();
        if (names.Length == 0) return;
        var command = Command(
            """
            INSERT INTO log AS l (name) SELECT name FROM (SELECT DISTINCT name COLLATE "C" AS name FROM unnest($1::text[]) n(name)) n ORDER BY name
            ON CONFLICT (name) DO UPDATE SET last = l.last WHERE false
            """);
        command.Parameters.Add(Parameter(names));
        batch.BatchCommands.Add(command);
    }

    private void AddLogAppends(NpgsqlBatch batch, List<StoreWrite> writes)
    {
        var command = Command(
            """
            WITH n AS MATERIALIZED (
                SELECT u.*, l.id AS log FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[])
                WITH ORDINALITY u(name, once, expires, at, value, idx) JOIN log l ON l.name = u.name),
            known AS MATERIALIZED (
                SELECT n.idx, min(e.number) AS number FROM n JOIN log_entry e ON e.once = n.once AND e.log = n.log
                WHERE n.once IS NOT NULL AND (e.expires_at = 0 OR e.expires_at > n.at) GROUP BY n.idx),
            fresh AS MATERIALIZED (
                SELECT n.*, row_number() OVER (PARTITION BY n.log ORDER BY n.idx) AS rn FROM n WHERE NOT EXISTS (SELECT 1 FROM known k WHERE k.idx = n.idx)),
            grown AS (
                UPDATE log l SET last = l.last + c.n FROM (SELECT log, count(*) AS n FROM fresh GROUP BY log) c WHERE l.id = c.log
                RETURNING l.id, l.last - c.n AS base),
            added AS (
                INSERT INTO log_entry(log, number, once, expires_at, value)
                SELECT f.log, g.base + f.rn, f.once, f.expires, f.value FROM fresh f JOIN grown g ON g.id = f.log)
            SELECT f.idx, g.base + f.rn, false FROM fresh f JOIN grown g ON g.id = f.log UNION ALL SELECT idx, number, true FROM known
            """);
        var appends = writes.Cast<SequenceAppend>().ToArray();
        Add(
            command,
            Array.ConvertAll(appends, w => w.Sequence),
            Array.ConvertAll(appends, w => w.Once),
            Array.ConvertAll(appends, w => w.ExpiresAt),
            Array.ConvertAll(appends, w => w.At),
            Array.ConvertAll(appends, w => w.Value));
        batch.BatchCommands.Add(command);
        _results.Add(async (reader, cancellationToken) =>
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                var write = appends[reader.GetInt64(0) - 1];
                (write.Number, write.Duplicate) = (reader.GetInt64(1), reader.GetBoolean(2));
            }
        });
    }
}
