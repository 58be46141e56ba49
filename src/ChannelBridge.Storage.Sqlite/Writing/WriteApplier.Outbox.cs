using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <content>The outbox.</content>
internal sealed partial class WriteApplier
{
    private readonly OutboxStatements _outbox;

    private void Apply(OutboxAppend write)
    {
        var lane = Lane(write.Lane);
        (write.Duplicate, write.LaneId, write.Seq) = FindOutbox(write.Id);
        if (write.Duplicate) return;

        write.LaneId = lane.Id;
        write.Seq = NextOut(lane);
        var append = _outbox.Append
            .Bind(1, write.Id)
            .Bind(2, lane.Account)
            .Bind(3, lane.Id)
            .Bind(4, write.Seq)
            .Bind(5, write.At)
            .Bind(6, write.ExpiresAt)
            .Bind(8, write.Payload.Span);
        (write.ReplyTo is { } turn ? append.Bind(7, turn) : append.BindNull(7)).Run();
        Note(ref _newestOutbox, write.Id);
    }

    private (bool Found, long Lane, long Seq) FindOutbox(Guid id)
    {
        if (id > _newestOutbox) return default;
        var find = _outbox.FindSeq.Bind(1, id);
        var found = find.Step() ? (true, find.GetInt64(0), find.GetInt64(1)) : default;
        find.Reset();
        return found;
    }

    private void Apply(OutboxUpdate write)
    {
        write.Changed = false;
        if (Lane(write.LaneId) is not { } lane) return;
        var update = (write.Settled, write.State) switch
        {
            (false, _) => _outbox.Progress,
            (true, DeliveryState.Dead or DeliveryState.Expired) => _outbox.End,
            (true, _) => _outbox.Settle,
        };
        update
            .Bind(1, write.LaneId)
            .Bind(2, write.Seq)
            .Bind(3, lane.Account)
            .Bind(4, (long)write.State)
            .Bind(5, write.Attempts)
            .Bind(6, write.NextAttemptAt)
            .Bind(7, write.PushedAt == 0 && write.State == DeliveryState.Pushed ? write.At : write.PushedAt)
            .Bind(8, write.State is DeliveryState.Acked or DeliveryState.Delivered ? write.At : 0)
            .Bind(9, write.State == DeliveryState.Delivered ? write.At : 0)
            .Bind(10, write.State is DeliveryState.Expired or DeliveryState.Dead ? write.At : 0)
            .Bind(11, write.Error)
            .Bind(12, write.HistoryLine.Span)
            .Run();
        write.Changed = _database.Changes != 0;
        if (write.Changed || write.Id == Guid.Empty || write.State is not (DeliveryState.Acked or DeliveryState.Delivered)) return;

        // Settled already, or unknown: better news than what is stored is taken, anything else is not.
        _outbox.Upgrade
            .Bind(1, write.Id)
            .Bind(2, (long)write.State)
            .Bind(3, write.PushedAt)
            .Bind(4, write.At)
            .Bind(5, write.State == DeliveryState.Delivered ? write.At : 0)
            .Run();
        write.Changed = _database.Changes != 0;
    }

    private void Apply(OutboxReplay write)
    {
        (write.Replayed, var row, write.LaneId) = FindEntry(_outbox.FindEnded, write.Id);
        write.Seq = 0;
        if (!write.Replayed) return;
        write.Seq = NextOut(LaneOfEntry(write.LaneId));
        _outbox.Replay.Bind(1, row).Bind(2, write.Seq).Bind(3, write.HistoryLine.Span).Run();
    }

    private void Apply(OutboxDiscard write)
    {
        _outbox.Discard.Bind(1, write.Id).Run();
        write.Discarded = _database.Changes != 0;
    }

    private sealed class OutboxStatements(SqliteDatabase database)
    {
        private const string UnsettledRow = "id = (SELECT id FROM outbox WHERE settled = 0 AND account = ?3 AND lane = ?1 AND seq = ?2)";

        private const string Ended = "state >= 4 AND settled = 1";

        // What isn't given is 0, or NULL for texts and lines. || makes text of its parts, hence the cast.
        private const string Step =
            """
            state = ?4, attempts = ?5, next_attempt_at = ?6,
            pushed_at = CASE ?7 WHEN 0 THEN pushed_at ELSE ?7 END,
            acked_at = CASE ?8 WHEN 0 THEN acked_at ELSE ?8 END,
            delivered_at = CASE ?9 WHEN 0 THEN delivered_at ELSE ?9 END,
            ended_at = CASE ?10 WHEN 0 THEN ended_at ELSE ?10 END,
            error = coalesce(?11, error),
            history = CASE WHEN ?12 IS NULL THEN history ELSE CAST(coalesce(history, '') || ?12 || x'0A' AS BLOB) END
            """;

        public readonly SqliteStatement Append = database.Prepare(
            "INSERT INTO outbox(uuid, account, lane, seq, accepted_at, expires_at, reply_to, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

        public readonly SqliteStatement FindSeq = database.Prepare("SELECT lane, seq FROM outbox WHERE uuid = ?1");

        /// <summary>Not settled: what is pending stays so.</summary>
        public readonly SqliteStatement Progress = database.Prepare($"UPDATE outbox SET {Step} WHERE {UnsettledRow}");

        /// <summary>Settled well: the payload isn't needed any more.</summary>
        public readonly SqliteStatement Settle = database.Prepare($"UPDATE outbox SET {Step}, settled = 1, payload = NULL WHERE {UnsettledRow}");

        /// <summary>Dead or expired: the payload stays, for a replay.</summary>
        public readonly SqliteStatement End = database.Prepare($"UPDATE outbox SET {Step}, settled = 1 WHERE {UnsettledRow}");

        /// <summary>Better news about what is settled: pushed → acked → delivered, or a client has what was given up.</summary>
        public readonly SqliteStatement Upgrade = database.Prepare(
            """
            UPDATE outbox SET state = ?2,
            pushed_at = CASE ?3 WHEN 0 THEN pushed_at ELSE ?3 END,
            acked_at = CASE acked_at WHEN 0 THEN ?4 ELSE acked_at END,
            delivered_at = CASE ?5 WHEN 0 THEN delivered_at ELSE ?5 END,
            ended_at = 0, payload = NULL
            WHERE uuid = ?1 AND settled = 1 AND state >= 1 AND (state < ?2 OR state >= 4)
            """);

        public readonly SqliteStatement FindEnded = database.Prepare($"SELECT id, lane FROM outbox WHERE uuid = ?1 AND {Ended}");

        /// <summary>Its time to live counted from the first acceptance; who replays it wants it delivered, so it has none any more.</summary>
        public readonly SqliteStatement Replay = database.Prepare(
            """
            UPDATE outbox SET seq = ?2, state = 0, settled = 0, attempts = 0, next_attempt_at = 0, expires_at = 0, ended_at = 0, error = NULL,
            history = CASE WHEN ?3 IS NULL THEN history ELSE CAST(coalesce(history, '') || ?3 || x'0A' AS BLOB) END
            WHERE id = ?1
            """);

        public readonly SqliteStatement Discard = database.Prepare($"DELETE FROM outbox WHERE uuid = ?1 AND {Ended}");
    }
}
