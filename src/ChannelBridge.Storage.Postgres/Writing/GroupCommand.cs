using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <summary>
/// A group of commits as one batch: one round trip, and one implicit transaction, which the server ends and flushes before it says that it is ready.
/// </summary>
internal sealed partial class GroupCommand(GroupPlan plan, LaneIds lanes, bool allocates)
{
    private readonly List<Stage> _stages = plan.Stages;
    private readonly List<Func<NpgsqlDataReader, CancellationToken, Task>> _results = [];
    private readonly List<InboxAppend> _knownInbox = [];
    private readonly List<OutboxAppend> _knownOutbox = [];

    /// <summary>Runs the group on a connection. When this returns, everything is durable and the results stand in the writes.</summary>
    public async Task RunAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (plan.Following.Count == 0)
        {
            await RunStagesAsync(connection, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            // Whether they are made is only known when the others have been: a round trip more, in a transaction that is told so.
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                await RunStagesAsync(connection, cancellationToken).ConfigureAwait(false);
                await FollowAsync(connection, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        // Duplicates are rare, so who was first is asked only when there are some, and after the commit, when concurrent ones are visible.
        if (_knownInbox.Count > 0) await ReadKnownInboxAsync(connection, cancellationToken).ConfigureAwait(false);
        if (_knownOutbox.Count > 0) await ReadKnownOutboxAsync(connection, cancellationToken).ConfigureAwait(false);
    }

    private async Task RunStagesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var batch = new NpgsqlBatch(connection);
        await using (batch.ConfigureAwait(false))
        {
            AddLock(batch);
            AddLogLock(batch);
            foreach (var stage in _stages) Add(batch, stage);
            await ExecuteAsync(batch, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Makes the writes whose message took place. Their logs are locked already.</summary>
    private async Task FollowAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var due = new GroupPlan();
        foreach (var write in plan.Following.Where(write => write.With!.TookPlace)) due.Place(write);
        if (due.Stages.Count == 0) return;
        _results.Clear();
        var batch = new NpgsqlBatch(connection);
        await using (batch.ConfigureAwait(false))
        {
            foreach (var stage in due.Stages) Add(batch, stage);
            await ExecuteAsync(batch, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ExecuteAsync(NpgsqlBatch batch, CancellationToken cancellationToken)
    {
        var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            foreach (var result in _results)
            {
                await result(reader, cancellationToken).ConfigureAwait(false);
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            }

            // Statements without rows have no result of their own; this goes on to the end, where a failed commit is reported.
            while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false))
            {
            }
        }
    }

    // Locks every lane that the group writes, always in the order of ids, so that two hosts never wait for each other in a circle; and checks the
    // claims under that lock. An outdated claim divides by zero, which is the one way to fail a plain statement by a condition.
    private void AddLock(NpgsqlBatch batch)
    {
        var claims = new Dictionary<long, long?>();
        var pushes = new List<(long Lane, long Claim)>();
        var outdated = false;
        foreach (var write in _stages.SelectMany(s => s.Writes))
        {
            var (lane, claim) = write switch
            {
                InboxAppend w => (lanes.Get(w.Lane), (long?)null),
                OutboxAppend w => (lanes.Get(w.Lane), Fence(w)),
                InboxUpdate w => (w.LaneId, Fence(w)),
                OutboxUpdate w => (w.LaneId, null),
                _ => (0, null),
            };
            if (lane == 0) continue;
            if (write is OutboxUpdate && Fence(write) is { } push) pushes.Add((lane, push));
            var known = claims.GetValueOrDefault(lane);
            outdated |= known is not null && claim is not null && known != claim;
            claims[lane] = claim ?? known;
        }

        // Two writes of one lane under different claims: one of them must be outdated.
        if (outdated) throw PostgresErrors.ClaimLost();
        if (claims.Count == 0) return;
        var command = Command(
            """
            SELECT 1 / CASE WHEN n.claim IS NULL OR l.claim = n.claim THEN 1 ELSE 0 END
            FROM unnest($1::bigint[], $2::bigint[]) n(id, claim) JOIN lane l ON l.id = n.id ORDER BY l.id FOR NO KEY UPDATE OF l
            """);
        command.Parameters.Add(Parameter(claims.Keys.ToArray()));
        command.Parameters.Add(Parameter(claims.Values.ToArray()));
        batch.BatchCommands.Add(command);
        _results.Add(static (_, _) => Task.CompletedTask);
        if (pushes.Count > 0) AddPushFence(batch, pushes);
    }

    // Failed and expired pushes are fenced by the account's claim. They are rare; a share of the lock lets other writers of the account pass.
    private void AddPushFence(NpgsqlBatch batch, List<(long Lane, long Claim)> pushes)
    {
        var command = Command(
            """
            SELECT 1 / CASE WHEN a.push_claim = n.claim THEN 1 ELSE 0 END
            FROM unnest($1::bigint[], $2::bigint[]) n(lane, claim) JOIN lane l ON l.id = n.lane JOIN account a ON a.id = l.account ORDER BY a.id FOR SHARE OF a
            """);
        command.Parameters.Add(Parameter(pushes.Select(p => p.Lane).ToArray()));
        command.Parameters.Add(Parameter(pushes.Select(p => p.Claim).ToArray()));
        batch.BatchCommands.Add(command);
        _results.Add(static (_, _) => Task.CompletedTask);
    }

    private static long? Fence(StoreWrite write) => write.Claim == StoreWrite.Unfenced ? null : write.Claim;

    private void Add(NpgsqlBatch batch, Stage stage)
    {
        switch (stage.Kind)
        {
            case StageKind.InboxAppend: AddInboxAppends(batch, stage.Writes); break;
            case StageKind.OutboxAppend: AddOutboxAppends(batch, stage.Writes); break;
            case StageKind.InboxUpdate: AddInboxUpdates(batch, stage.Writes); break;
            case StageKind.OutboxUpdate: AddOutboxUpdates(batch, stage.Writes); break;
            case StageKind.LogAppend: AddLogAppends(batch, stage.Writes); break;
            default: AddSingle(batch, stage.Writes[0]); break;
        }
    }

    private void AddInboxAppends(NpgsqlBatch batch, List<StoreWrite> writes)
    {
        // The keys are taken first: new ones and those whose time is up. Concurrent hosts meet at the key's row and the second one sees the first.
        var command = Command(
            """
            WITH n AS MATERIALIZED (
                SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bytea[])
                WITH ORDINALITY u(lane, uuid, key, until, at, payload, idx)),
            taken AS (
                INSERT INTO inbox_key AS k (key, id, accepted_at, until) SELECT key, uuid, at, until FROM n ORDER BY key
                ON CONFLICT (key) DO UPDATE SET id = excluded.id, accepted_at = excluded.accepted_at, until = excluded.until
                WHERE k.until <= excluded.accepted_at
                RETURNING key),
            fresh AS MATERIALIZED (
                SELECT n.*, row_number() OVER (PARTITION BY n.lane ORDER BY n.idx) AS rn FROM n JOIN taken USING (key)),
            grown AS (
                UPDATE lane l SET last_in = l.last_in + c.n FROM (SELECT lane, count(*) AS n FROM fresh GROUP BY lane) c WHERE l.id = c.lane
                RETURNING l.id, l.last_in - c.n AS base)
            INSERT INTO inbox(uuid, lane, ordinal, accepted_at, dedupe_until, payload)
            SELECT f.uuid, f.lane, g.base + f.rn, f.at, f.until, f.payload FROM fresh f JOIN grown g ON g.id = f.lane
            RETURNING uuid, lane, ordinal
            """);
        var (lane, id, key) = (new long[writes.Count], new Guid[writes.Count], new Guid[writes.Count]);
        var (until, at, payload) = (new long[writes.Count], new long[writes.Count], new ReadOnlyMemory<byte>[writes.Count]);
        for (var i = 0; i < writes.Count; i++)
        {
            var write = (InboxAppend)writes[i];
            (lane[i], id[i], key[i]) = (lanes.Get(write.Lane), write.Id, KeyBytes.ToGuid(write.DedupeKey));
            (until[i], at[i], payload[i]) = (write.DedupeUntil, write.At, write.Payload);
        }

        Add(command, lane, id, key, until, at);
        command.Parameters.Add(Parameter(payload));
        batch.BatchCommands.Add(command);
        _results.Add(async (reader, cancellationToken) =>
        {
            var rows = await ReadNumbersAsync(reader, cancellationToken).ConfigureAwait(false);
            foreach (var write in writes.Cast<InboxAppend>())
            {
                write.Duplicate = !rows.TryGetValue(write.Id, out var row);
                if (write.Duplicate) _knownInbox.Add(write);
                else (write.KnownId, write.LaneId, write.Ordinal) = (write.Id, row.Lane, row.Number);
            }
        });
    }

    private void AddOutboxAppends(NpgsqlBatch batch, List<StoreWrite> writes)
    {
        var command = Command(
            """
            WITH n AS MATERIALIZED (
                SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bytea[])
                WITH ORDINALITY u(lane, uuid, reply, expires, at, payload, idx)),
            fresh AS MATERIALIZED (
                SELECT n.*, row_number() OVER (PARTITION BY n.lane ORDER BY n.idx) AS rn FROM n
                WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.uuid = n.uuid)),
            grown AS (
                UPDATE lane l SET last_out = l.last_out + c.n FROM (SELECT lane, count(*) AS n FROM fresh GROUP BY lane) c WHERE l.id = c.lane
                RETURNING l.id, l.account, l.last_out - c.n AS base)
            INSERT INTO outbox(uuid, account, lane, seq, accepted_at, expires_at, reply_to, payload)
            SELECT f.uuid, g.account, f.lane, g.base + f.rn, f.at, f.expires, f.reply, f.payload FROM fresh f JOIN grown g ON g.id = f.lane
            RETURNING uuid, lane, seq
            """);
        var (lane, id, reply) = (new long[writes.Count], new Guid[writes.Count], new Guid?[writes.Count]);
        var (expires, at, payload) = (new long[writes.Count], new long[writes.Count], new ReadOnlyMemory<byte>[writes.Count]);
        for (var i = 0; i < writes.Count; i++)
        {
            var write = (OutboxAppend)writes[i];
            (lane[i], id[i], reply[i]) = (lanes.Get(write.Lane), write.Id, write.ReplyTo);
            (expires[i], at[i], payload[i]) = (write.ExpiresAt, write.At, write.Payload);
        }

        Add(command, lane, id, reply, expires, at);
        command.Parameters.Add(Parameter(payload));
        batch.BatchCommands.Add(command);
        _results.Add(async (reader, cancellationToken) =>
        {
            var rows = await ReadNumbersAsync(reader, cancellationToken).ConfigureAwait(false);
            foreach (var write in writes.Cast<OutboxAppend>())
            {
                write.Duplicate = !rows.TryGetValue(write.Id, out var row);
                if (write.Duplicate) _knownOutbox.Add(write);
                else (write.LaneId, write.Seq) = row;
            }
        });
    }

    private void AddInboxUpdates(NpgsqlBatch batch, List<StoreWrite> writes)
    {
        var command = Command(
            """
            UPDATE inbox i SET state = n.state, attempts = n.attempts, next_attempt_at = n.next_at,
                ended_at = CASE n.state WHEN 0 THEN i.ended_at ELSE n.at END,
                error = coalesce(n.error, i.error),
                payload = CASE n.state WHEN 1 THEN NULL ELSE i.payload END
            FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::int[], $5::bigint[], $6::bigint[], $7::text[])
                n(lane, ordinal, state, attempts, next_at, at, error)
            WHERE i.lane = n.lane AND i.ordinal = n.ordinal AND i.state = 0
            RETURNING i.lane, i.ordinal
            """);
        var updates = writes.Cast<InboxUpdate>().ToArray();
        Add(
            command,
            Array.ConvertAll(updates, w => w.LaneId),
            Array.ConvertAll(updates, w => w.Ordinal),
            Array.ConvertAll(updates, w => (short)w.State),
            Array.ConvertAll(updates, w => w.Attempts),
            Array.ConvertAll(updates, w => w.State == TurnState.Pending ? w.NextAttemptAt : 0));
        command.Parameters.Add(Parameter(Array.ConvertAll(updates, w => w.At)));
        command.Parameters.Add(Parameter(Array.ConvertAll(updates, w => w.Error)));
        batch.BatchCommands.Add(command);
        _results.Add(async (reader, cancellationToken) =>
        {
            var changed = await ReadPairsAsync(reader, cancellationToken).ConfigureAwait(false);
            foreach (var update in updates) update.Changed = changed.Contains((update.LaneId, update.Ordinal));
        });
    }

    private void AddOutboxUpdates(NpgsqlBatch batch, List<StoreWrite> writes)
    {
        // OFFSET 0 keeps the lanes' join apart, so that all three columns come from one place: otherwise a plan is made that finds the lane by the index and
        // reads through everything that is pending in it.
        var command = Command(
            """
            UPDATE outbox o SET state = n.state, settled = n.settled, attempts = n.attempts, next_attempt_at = n.next_at,
                error = coalesce(n.error, o.error),
                history = CASE WHEN n.line IS NULL THEN o.history ELSE coalesce(o.history, '') || n.line || '\x0a' END,
                pushed_at = CASE WHEN n.pushed <> 0 THEN n.pushed WHEN n.state = 1 THEN n.at ELSE o.pushed_at END,
                acked_at = CASE WHEN n.state IN (2, 3) THEN n.at ELSE o.acked_at END,
                delivered_at = CASE n.state WHEN 3 THEN n.at ELSE o.delivered_at END,
                ended_at = CASE WHEN n.state >= 4 THEN n.at ELSE o.ended_at END,
                payload = CASE WHEN n.settled AND n.state < 4 THEN NULL ELSE o.payload END
            FROM (SELECT n.*, l.account
                FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::boolean[], $5::int[], $6::bigint[], $7::text[], $8::bytea[], $9::bigint[], $10::bigint[])
                    n(lane, seq, state, settled, attempts, next_at, error, line, pushed, at)
                JOIN lane l ON l.id = n.lane OFFSET 0) n
            WHERE NOT o.settled AND o.account = n.account AND o.lane = n.lane AND o.seq = n.seq
            RETURNING o.lane, o.seq
            """);
        var updates = writes.Cast<OutboxUpdate>().ToArray();
        Add(
            command,
            Array.ConvertAll(updates, w => w.LaneId),
            Array.ConvertAll(updates, w => w.Seq),
            Array.ConvertAll(updates, w => (short)w.State),
            Array.ConvertAll(updates, w => w.Settled),
            Array.ConvertAll(updates, w => w.Attempts));
        command.Parameters.Add(Parameter(Array.ConvertAll(updates, w => w.NextAttemptAt)));
        command.Parameters.Add(Parameter(Array.ConvertAll(updates, w => w.Error)));
        command.Parameters.Add(Parameter(Array.ConvertAll(updates, w => w.HistoryLine.IsEmpty ? (ReadOnlyMemory<byte>?)null : w.HistoryLine)));
        command.Parameters.Add(Parameter(Array.ConvertAll(updates, w => w.PushedAt)));
        command.Parameters.Add(Parameter(Array.ConvertAll(updates, w => w.At)));
        batch.BatchCommands.Add(command);
        _results.Add(async (reader, cancellationToken) =>
        {
            var changed = await ReadPairsAsync(reader, cancellationToken).ConfigureAwait(false);
            foreach (var update in updates) update.Changed = changed.Contains((update.LaneId, update.Seq));
        });

        // Of those that are settled already, better news is taken, and the client's word about what was given up. What the statement above has settled can't match:
        // its state isn't below.
        var better = updates.Where(w => w.Id != Guid.Empty && w.State is DeliveryState.Acked or DeliveryState.Delivered).ToArray();
        if (better.Length == 0) return;
        var upgrade = Command(
            """
            UPDATE outbox o SET state = n.state,
                pushed_at = CASE n.pushed WHEN 0 THEN o.pushed_at ELSE n.pushed END,
                acked_at = CASE o.acked_at WHEN 0 THEN n.at ELSE o.acked_at END,
                delivered_at = CASE n.state WHEN 3 THEN n.at ELSE o.delivered_at END,
                ended_at = 0, payload = NULL
            FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[]) n(uuid, state, pushed, at)
            WHERE o.uuid = n.uuid AND o.settled AND o.state >= 1 AND (o.state < n.state OR o.state >= 4)
            RETURNING o.uuid
            """);
        upgrade.Parameters.Add(Parameter(Array.ConvertAll(better, w => w.Id)));
        upgrade.Parameters.Add(Parameter(Array.ConvertAll(better, w => (short)w.State)));
        upgrade.Parameters.Add(Parameter(Array.ConvertAll(better, w => w.PushedAt)));
        upgrade.Parameters.Add(Parameter(Array.ConvertAll(better, w => w.At)));
        batch.BatchCommands.Add(upgrade);
        _results.Add(async (reader, cancellationToken) =>
        {
            var upgraded = new HashSet<Guid>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) upgraded.Add(reader.GetGuid(0));
            foreach (var update in better.Where(w => upgraded.Contains(w.Id))) update.Changed = true;
        });
    }

    private async Task ReadKnownInboxAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(
            "SELECT k.key, k.id, i.lane, i.ordinal FROM inbox_key k LEFT JOIN inbox i ON i.uuid = k.id WHERE k.key = ANY($1)", connection);
        command.Parameters.Add(Parameter(_knownInbox.Select(w => KeyBytes.ToGuid(w.DedupeKey)).ToArray()));
        var rows = new Dictionary<Guid, (Guid Id, long Lane, long Ordinal)>();
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                var known = !reader.IsDBNull(2);
                rows[reader.GetGuid(0)] = (reader.GetGuid(1), known ? reader.GetInt64(2) : 0, known ? reader.GetInt64(3) : 0);
            }
        }

        foreach (var write in _knownInbox)
        {
            (write.KnownId, write.LaneId, write.Ordinal) = rows.GetValueOrDefault(KeyBytes.ToGuid(write.DedupeKey));
        }
    }

    private async Task ReadKnownOutboxAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand("SELECT uuid, lane, seq FROM outbox WHERE uuid = ANY($1)", connection);
        command.Parameters.Add(Parameter(_knownOutbox.Select(w => w.Id).ToArray()));
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var rows = await ReadNumbersAsync(reader, cancellationToken).ConfigureAwait(false);
            foreach (var write in _knownOutbox) (write.LaneId, write.Seq) = rows.GetValueOrDefault(write.Id);
        }
    }

    private static async Task<HashSet<(long Lane, long Number)>> ReadPairsAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var rows = new HashSet<(long, long)>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) rows.Add((reader.GetInt64(0), reader.GetInt64(1)));
        return rows;
    }

    private static async Task<Dictionary<Guid, (long Lane, long Number)>> ReadNumbersAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var rows = new Dictionary<Guid, (long, long)>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) rows[reader.GetGuid(0)] = (reader.GetInt64(1), reader.GetInt64(2));
        return rows;
    }

    private static NpgsqlBatchCommand Command(string sql) => new(sql);

    private static NpgsqlParameter<T> Parameter<T>(T value) => Parameters.Of(value);

    private static void Add<T1, T2, T3, T4, T5>(NpgsqlBatchCommand command, T1 first, T2 second, T3 third, T4 fourth, T5 fifth)
    {
        command.Parameters.Add(Parameter(first));
        command.Parameters.Add(Parameter(second));
        command.Parameters.Add(Parameter(third));
        command.Parameters.Add(Parameter(fourth));
        command.Parameters.Add(Parameter(fifth));
    }
}
