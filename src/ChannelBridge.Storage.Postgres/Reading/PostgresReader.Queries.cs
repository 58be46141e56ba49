using System.Text;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Reading;

/// <content>The queries.</content>
internal sealed partial class PostgresReader
{
    // One seek for each lane: the index skips a lane's other entries, however many they are.
    public ValueTask<List<PendingLane>> ListTurnLanesAsync(long after, int limit, CancellationToken cancellationToken) => ReadAsync(
        $"""
        WITH RECURSIVE t AS (
            (SELECT lane, ordinal, 1 AS n FROM inbox WHERE state = 0 AND lane > $1 ORDER BY lane, ordinal LIMIT 1)
            UNION ALL
            SELECT next.lane, next.ordinal, t.n + 1 FROM t,
                LATERAL (SELECT lane, ordinal FROM inbox WHERE state = 0 AND lane > t.lane ORDER BY lane, ordinal LIMIT 1) next
            WHERE t.n < $2)
        SELECT t.lane, t.ordinal, {LaneColumns} FROM t JOIN lane l ON l.id = t.lane JOIN account a ON a.id = l.account ORDER BY t.lane
        """,
        [P(after), P(limit)],
        ToLane,
        cancellationToken);

    public ValueTask<List<PendingLane>> ListPushLanesAsync(string channel, string account, long after, int limit, CancellationToken cancellationToken) =>
        ReadAsync(
            $"""
            WITH RECURSIVE own AS (SELECT id FROM account WHERE channel = $3 AND account = $4),
            t AS (
                (SELECT o.lane, o.seq, 1 AS n FROM outbox o
                 WHERE NOT o.settled AND o.account = (SELECT id FROM own) AND o.lane > $1 ORDER BY o.lane, o.seq LIMIT 1)
                UNION ALL
                SELECT next.lane, next.seq, t.n + 1 FROM t,
                    LATERAL (SELECT o.lane, o.seq FROM outbox o
                             WHERE NOT o.settled AND o.account = (SELECT id FROM own) AND o.lane > t.lane ORDER BY o.lane, o.seq LIMIT 1) next
                WHERE t.n < $2)
            SELECT t.lane, t.seq, {LaneColumns} FROM t JOIN lane l ON l.id = t.lane JOIN account a ON a.id = l.account ORDER BY t.lane
            """,
            [P(after), P(limit), P(channel), P(account)],
            ToLane,
            cancellationToken);

    public ValueTask<List<InboxEntry>> ReadInboxAsync(long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken)
    {
        var bytes = 0L;
        var first = true;
        return ReadAsync(
            $"SELECT {InboxColumns}, {LaneColumns} {InboxFrom} WHERE i.state = 0 AND i.lane = $1 AND i.ordinal > $2 ORDER BY i.ordinal LIMIT $3",
            [P(lane), P(after), P(limit)],
            ToInbox,
            cancellationToken,
            entry => IsBeyond(entry.Payload.Length, maxBytes, ref bytes, ref first));
    }

    public ValueTask<List<OutboxEntry>> ReadOutboxAsync(long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken)
    {
        var bytes = 0L;
        var first = true;
        return ReadAsync(
            $"""
            SELECT {OutboxHeaders}, {LaneColumns}, o.history, o.payload {OutboxFrom}
            WHERE NOT o.settled AND o.account = (SELECT account FROM lane WHERE id = $1) AND o.lane = $1 AND o.seq > $2 ORDER BY o.seq LIMIT $3
            """,
            [P(lane), P(after), P(limit)],
            ToOutbox,
            cancellationToken,
            entry => IsBeyond(entry.Payload.Length, maxBytes, ref bytes, ref first));
    }

    public ValueTask<List<InboxEntry>> ListDeadInboxAsync((long EndedAt, Guid Id)? after, int limit, bool headersOnly, CancellationToken cancellationToken) => ReadAsync(
        $"""
        SELECT {(headersOnly ? InboxColumns.Replace("i.payload", "NULL::bytea", StringComparison.Ordinal) : InboxColumns)}, {LaneColumns} {InboxFrom}
        WHERE i.state = 2 AND (i.ended_at, i.uuid) > ($1, $2) ORDER BY i.ended_at, i.uuid LIMIT $3
        """,
        [P(after?.EndedAt ?? -1), P(after?.Id ?? Guid.Empty), P(limit)],
        ToInbox,
        cancellationToken);

    public async ValueTask<InboxEntry?> GetInboxAsync(Guid id, CancellationToken cancellationToken) =>
        (await ReadAsync($"SELECT {InboxColumns}, {LaneColumns} {InboxFrom} WHERE i.uuid = $1", [P(id)], ToInbox, cancellationToken).ConfigureAwait(false))
        .FirstOrDefault();

    public async ValueTask<OutboxEntry?> GetOutboxAsync(Guid id, CancellationToken cancellationToken) =>
        (await ReadAsync(
            $"SELECT {OutboxHeaders}, {LaneColumns}, o.history, o.payload {OutboxFrom} WHERE o.uuid = $1", [P(id)], ToOutbox, cancellationToken)
            .ConfigureAwait(false))
        .FirstOrDefault();

    public ValueTask<List<OutboxEntry>> QueryOutboxAsync(OutboxQuery query, CancellationToken cancellationToken)
    {
        var parameters = new List<NpgsqlParameter>();
        var sql = new StringBuilder("SELECT ").Append(OutboxHeaders).Append(", ").Append(LaneColumns);
        sql.Append(query.HeadersOnly ? ", NULL::bytea, NULL::bytea " : ", o.history, o.payload ").Append(OutboxFrom).Append(" WHERE true");
        if (query.Channel is not null) sql.Append(" AND a.channel = ").Append(Next(P(query.Channel)));
        if (query.Account is not null) sql.Append(" AND a.account = ").Append(Next(P(query.Account)));
        if (query.SessionKey is not null) sql.Append(" AND l.session_key = ").Append(Next(P(query.SessionKey)));
        if (query.Error is not null) sql.Append(" AND o.error = ").Append(Next(P(query.Error)));
        if (query.AcceptedBefore > 0) sql.Append(" AND o.accepted_at < ").Append(Next(P(query.AcceptedBefore)));
        if (query.States.Count > 0)
        {
            // Said apart because the index of ended entries is only taken for exactly this condition.
            if (query.States.All(s => s is DeliveryState.Expired or DeliveryState.Dead)) sql.Append(" AND o.state >= 4");
            sql.Append(" AND o.state IN (").AppendJoin(", ", query.States.Select(s => (int)s)).Append(')');
        }

        var (order, beyond) = query.Descending ? ("DESC", "<") : ("ASC", ">");
        if (query.After is { } after) sql.Append($" AND (o.accepted_at, o.uuid) {beyond} ({Next(P(after.AcceptedAt))}, {Next(P(after.Id))})");
        sql.Append($" ORDER BY o.accepted_at {order}, o.uuid {order} LIMIT {Next(P(query.Limit))}");
        return ReadAsync(sql.ToString(), parameters, ToOutbox, cancellationToken);

        string Next(NpgsqlParameter parameter)
        {
            parameters.Add(parameter);
            return $"${parameters.Count}";
        }
    }

    public ValueTask<List<AccountCounts>> CountAsync(CancellationToken cancellationToken) => ReadAsync(
        """
        WITH ip AS (SELECT l.account, count(*) AS n, min(i.accepted_at) AS oldest FROM inbox i JOIN lane l ON l.id = i.lane WHERE i.state = 0 GROUP BY 1),
        id AS (SELECT l.account, count(*) AS n FROM inbox i JOIN lane l ON l.id = i.lane WHERE i.state = 2 GROUP BY 1),
        op AS (SELECT account, count(*) AS n, min(accepted_at) AS oldest FROM outbox WHERE NOT settled GROUP BY 1),
        od AS (SELECT account, count(*) AS n FROM outbox WHERE state >= 4 AND state = 5 GROUP BY 1)
        SELECT a.channel, a.account, coalesce(ip.n, 0), coalesce(id.n, 0), coalesce(op.n, 0), coalesce(od.n, 0), coalesce(ip.oldest, 0), coalesce(op.oldest, 0)
        FROM account a LEFT JOIN ip ON ip.account = a.id LEFT JOIN id ON id.account = a.id LEFT JOIN op ON op.account = a.id LEFT JOIN od ON od.account = a.id
        WHERE coalesce(ip.n, id.n, op.n, od.n) IS NOT NULL ORDER BY a.channel, a.account
        """,
        [],
        row => new AccountCounts(
            row.GetString(0), row.GetString(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4), row.GetInt64(5), row.GetInt64(6), row.GetInt64(7)),
        cancellationToken);

    // Numbers of rows are the server's own estimates: counting a large table would read all of it.
    public async ValueTask<StoreSpace> MeasureAsync(string schema, long now, CancellationToken cancellationToken)
    {
        var tables = await ReadAsync(
            """
            SELECT c.relname::text, pg_total_relation_size(c.oid), greatest(c.reltuples, s.n_live_tup, 0)::bigint
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
            WHERE n.nspname = $1 AND c.relkind = 'r'
            """,
            [P(schema)],
            row => (Name: row.GetString(0), Bytes: row.GetInt64(1), Rows: row.GetInt64(2)),
            cancellationToken).ConfigureAwait(false);
        var dead = await ReadAsync(
            "SELECT (SELECT count(*) FROM inbox WHERE state = 2) + (SELECT count(*) FROM outbox WHERE state >= 4)", [], row => row.GetInt64(0),
            cancellationToken).ConfigureAwait(false);
        return new StoreSpace
        {
            MeasuredAt = now,
            DataBytes = tables.Sum(table => table.Bytes),
            Estimated = true,
            InboxRows = Rows("inbox"),
            OutboxRows = Rows("outbox"),
            RecordRows = Rows("record"),
            LogRows = Rows("log_entry"),
            DedupeKeys = Rows("inbox_key"),
            DeadLetters = dead[0],
        };

        long Rows(string name) => tables.Find(table => table.Name == name).Rows;
    }

    public ValueTask<List<StoreRecord>> ListRecordsAsync(
        string ns, string? key, string? index, string? after, int limit, long now, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder("SELECT key, value, version, idx, updated_at FROM record WHERE ns = $1 AND (expires_at = 0 OR expires_at > $2)");
        var parameters = new List<NpgsqlParameter> { P(ns), P(now), P(limit) };
        if (key is not null) Where("key =", key);
        if (index is not null) Where("idx =", index);
        if (after is not null) Where("key >", after);
        sql.Append(" ORDER BY key LIMIT $3");
        return ReadAsync(
            sql.ToString(),
            parameters,
            row => new StoreRecord(row.GetString(0), Bytes(row, 1), row.GetInt64(2), Text(row, 3), row.GetInt64(4)),
            cancellationToken);

        void Where(string condition, string value)
        {
            parameters.Add(P(value));
            sql.Append($" AND {condition} ${parameters.Count}");
        }
    }

    public ValueTask<List<SequenceEntry>> ReadSequenceAsync(string sequence, long after, int limit, long now, CancellationToken cancellationToken) => ReadAsync(
        """
        SELECT e.number, e.value, e.expires_at FROM log l JOIN log_entry e ON e.log = l.id
        WHERE l.name = $1 AND e.number > $2 AND (e.expires_at = 0 OR e.expires_at > $3) ORDER BY e.log, e.number LIMIT $4
        """,
        [P(sequence), P(after), P(now), P(limit)],
        row => new SequenceEntry(row.GetInt64(0), Bytes(row, 1), row.GetInt64(2)),
        cancellationToken);

    private static bool IsBeyond(int size, int maxBytes, ref long bytes, ref bool first)
    {
        bytes += size;
        var beyond = bytes > maxBytes && !first;
        first = false;
        return beyond;
    }
}
