using System.Globalization;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Common;
using Npgsql;
using NpgsqlTypes;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <content>Writes that are rare enough for a statement of their own.</content>
internal sealed partial class GroupCommand
{
    private void AddSingle(NpgsqlBatch batch, StoreWrite write)
    {
        switch (write)
        {
            case InboxReplay w: AddReplay(batch, w); break;
            case InboxDiscard w: AddDiscard(batch, w); break;
            case OutboxReplay w: AddReplay(batch, w); break;
            case OutboxDiscard w: AddDiscard(batch, w); break;
            case RecordPut w: AddPut(batch, w); break;
            case RecordDelete w:
                batch.BatchCommands.Add(new NpgsqlBatchCommand("DELETE FROM record WHERE ns = $1 AND key = $2")
                {
                    Parameters = { Parameter(w.Namespace), Parameter(w.Key) },
                });
                break;
            case SequenceNext w: AddNext(batch, w); break;
            case ProbeWrite w: AddProbe(batch, w); break;
            default: throw new ArgumentException($"The PostgreSQL store doesn't know the write {write.GetType().Name}.", nameof(write));
        }
    }

    // A row of this size isn't compressed, and four of them fill a page.
    private void AddProbe(NpgsqlBatch batch, ProbeWrite write)
    {
        const int RowBytes = 1900;
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            "INSERT INTO meta(key, value) VALUES('probe', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        {
            Parameters = { Parameter(write.At.ToString(CultureInfo.InvariantCulture)) },
        });
        if (!allocates) return;
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            $"INSERT INTO {PostgresWriter.ProbeTable} SELECT repeat('x', {RowBytes}) FROM generate_series(1, $1)")
        {
            Parameters = { Parameter((long)((write.Bytes / RowBytes) + 1)) },
        });
    }

    // Dividing by zero is how an outdated claim fails the statement, as in AddLock.
    private void AddReplay(NpgsqlBatch batch, OutboxReplay write)
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            """
            WITH e AS (SELECT uuid, lane FROM outbox WHERE uuid = $1 AND state >= 4 AND settled FOR UPDATE),
            grown AS (
                UPDATE lane l SET last_out = l.last_out + 1 FROM e WHERE l.id = e.lane
                RETURNING l.id, l.last_out / CASE WHEN $2 IN (l.claim, -1) THEN 1 ELSE 0 END AS seq)
            UPDATE outbox o SET seq = g.seq, state = 0, settled = false, attempts = 0, next_attempt_at = 0, expires_at = 0, ended_at = 0, error = NULL,
                history = CASE WHEN $3::bytea IS NULL THEN o.history ELSE coalesce(o.history, '') || $3 || '\x0a' END
            FROM grown g WHERE o.uuid = $1
            RETURNING o.lane, o.seq
            """)
        {
            Parameters = { Parameter(write.Id), Parameter(write.Claim), Bytes(write.HistoryLine) },
        });
        _results.Add(async (reader, cancellationToken) =>
        {
            write.Replayed = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            (write.LaneId, write.Seq) = write.Replayed ? (reader.GetInt64(0), reader.GetInt64(1)) : (0, 0);
        });
    }

    private void AddReplay(NpgsqlBatch batch, InboxReplay write)
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            """
            WITH e AS (SELECT uuid, lane FROM inbox WHERE uuid = $1 AND state = 2 FOR UPDATE),
            grown AS (
                UPDATE lane l SET last_in = l.last_in + 1 FROM e WHERE l.id = e.lane
                RETURNING l.id, l.last_in / CASE WHEN $2 IN (l.claim, -1) THEN 1 ELSE 0 END AS ordinal)
            UPDATE inbox i SET ordinal = g.ordinal, state = 0, attempts = 0, next_attempt_at = 0, ended_at = 0, error = NULL
            FROM grown g WHERE i.uuid = $1
            RETURNING i.lane, i.ordinal
            """)
        {
            Parameters = { Parameter(write.Id), Parameter(write.Claim) },
        });
        _results.Add(async (reader, cancellationToken) =>
        {
            write.Replayed = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            (write.LaneId, write.Ordinal) = write.Replayed ? (reader.GetInt64(0), reader.GetInt64(1)) : (0, 0);
        });
    }

    private void AddDiscard(NpgsqlBatch batch, InboxDiscard write)
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            """
            UPDATE inbox i SET state = 1, payload = NULL FROM lane l WHERE i.uuid = $1 AND i.state = 2 AND l.id = i.lane
            RETURNING 1 / CASE WHEN $2 IN (l.claim, -1) THEN 1 ELSE 0 END
            """)
        {
            Parameters = { Parameter(write.Id), Parameter(write.Claim) },
        });
        _results.Add(async (reader, cancellationToken) => write.Discarded = await reader.ReadAsync(cancellationToken).ConfigureAwait(false));
    }

    private void AddDiscard(NpgsqlBatch batch, OutboxDiscard write)
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            """
            DELETE FROM outbox o USING lane l WHERE o.uuid = $1 AND o.state >= 4 AND o.settled AND l.id = o.lane
            RETURNING 1 / CASE WHEN $2 IN (l.claim, -1) THEN 1 ELSE 0 END
            """)
        {
            Parameters = { Parameter(write.Id), Parameter(write.Claim) },
        });
        _results.Add(async (reader, cancellationToken) => write.Discarded = await reader.ReadAsync(cancellationToken).ConfigureAwait(false));
    }

    private void AddPut(NpgsqlBatch batch, RecordPut write)
    {
        // An expired record counts as none: the next version is 1 again.
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            """
            INSERT INTO record AS r (ns, key, version, updated_at, expires_at, idx, value)
            SELECT $1, $2, 1, $3, $4, $5, $6
            WHERE $7::bigint IS NULL OR $7 = coalesce((SELECT version FROM record WHERE ns = $1 AND key = $2 AND (expires_at = 0 OR expires_at > $3)), 0)
            ON CONFLICT (ns, key) DO UPDATE SET
                version = CASE WHEN r.expires_at = 0 OR r.expires_at > $3 THEN r.version + 1 ELSE 1 END,
                updated_at = excluded.updated_at, expires_at = excluded.expires_at, idx = excluded.idx, value = excluded.value
            WHERE $7::bigint IS NULL OR $7 = CASE WHEN r.expires_at = 0 OR r.expires_at > $3 THEN r.version ELSE 0 END
            RETURNING version
            """)
        {
            Parameters =
            {
                Parameter(write.Namespace),
                Parameter(write.Key),
                Parameter(write.At),
                Parameter(write.ExpiresAt),
                Postgres.Parameters.OrNull(write.Index),
                Bytes(write.Value),
                new NpgsqlParameter { Value = (object?)write.ExpectedVersion ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint },
            },
        });
        _results.Add(async (reader, cancellationToken) =>
        {
            write.Conflict = !await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            write.Version = write.Conflict ? 0 : reader.GetInt64(0);
        });
        if (write.ExpectedVersion is null) return;
        batch.BatchCommands.Add(new NpgsqlBatchCommand("SELECT version FROM record WHERE ns = $1 AND key = $2 AND (expires_at = 0 OR expires_at > $3)")
        {
            Parameters = { Parameter(write.Namespace), Parameter(write.Key), Parameter(write.At) },
        });
        _results.Add(async (reader, cancellationToken) =>
        {
            if (await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && write.Conflict) write.Version = reader.GetInt64(0);
        });
    }

    private void AddNext(NpgsqlBatch batch, SequenceNext write)
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(
            "INSERT INTO sequence AS s (name, value) VALUES($1, 1) ON CONFLICT (name) DO UPDATE SET value = s.value + 1 RETURNING value")
        {
            Parameters = { Parameter(write.Name) },
        });
        _results.Add(async (reader, cancellationToken) =>
        {
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            write.Value = reader.GetInt64(0);
        });
    }

    private static NpgsqlParameter Bytes(ReadOnlyMemory<byte> bytes) =>
        new() { Value = bytes.IsEmpty ? DBNull.Value : bytes, NpgsqlDbType = NpgsqlDbType.Bytea };
}
