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
        if (write.Payload.Length <= LargePayload)
        {
            _nursery.Add(write, lane, write.Seq);
            return;
        }

        // Once is enough for its bytes.
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
        Touch(lane);
    }

    private (bool Found, long Lane, long Seq) FindOutbox(Guid id)
    {
        if (_nursery.Outbox(id) is { } young) return (true, young.Lane.Id, young.State.Seq);
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
        if (_nursery.Outbox(write.LaneId, write.Seq) is { State.Settled: false } young)
        {
            ApplyYoung(write, young);
            return;
        }

        var statement = (write.Settled, write.State) switch
        {
            (false, _) => _outbox.Update,
            (true, DeliveryState.Dead or DeliveryState.Expired) => _outbox.End,
            (true, _) => _outbox.Settle,
        };
        var state = write.State;
        statement
            .Bind(1, write.LaneId)
            .Bind(2, write.Seq)
            .Bind(3, (long)state)
            .Bind(4, write.Attempts)
            .Bind(5, write.NextAttemptAt)
            .Bind(6, write.Error)
            .Bind(7, write.HistoryLine.Span)
            .Bind(8, write.PushedAt == 0 && state == DeliveryState.Pushed ? write.At : write.PushedAt)
            .Bind(9, state is DeliveryState.Acked or DeliveryState.Delivered ? write.At : 0)
            .Bind(10, state == DeliveryState.Delivered ? write.At : 0)
            .Bind(11, state is DeliveryState.Expired or DeliveryState.Dead ? write.At : 0)
            .Bind(12, lane.Account)
            .Run();
        write.Changed = _database.Changes != 0;
        if (write.Changed || write.Id == Guid.Empty || state is not (DeliveryState.Acked or DeliveryState.Delivered)) return;

        // Settled already, or unknown: better news than what is stored is taken, anything else is not.
        if (_nursery.Outbox(write.Id) is { } settled)
        {
            UpgradeYoung(write, settled);
            return;
        }

        _outbox.Upgrade
            .Bind(1, write.Id)
            .Bind(3, (long)state)
            .Bind(4, write.PushedAt)
            .Bind(5, write.At)
            .Bind(6, state == DeliveryState.Delivered ? write.At : 0)
            .Run();
        write.Changed = _database.Changes != 0;
    }

    private void Apply(OutboxReplay write)
    {
        if (_nursery.Outbox(write.Id) is { } young)
        {
            ApplyYoung(write, young);
            return;
        }

        (write.Replayed, var row, write.LaneId) = FindEntry(_outbox.FindEnded, write.Id);
        write.Seq = 0;
        if (!write.Replayed) return;

        var lane = LaneOfEntry(write.LaneId);
        write.Seq = NextOut(lane);
        Touch(lane);
        _outbox.Replay.Bind(1, row).Bind(2, write.Seq).Bind(3, write.HistoryLine.Span).Run();
    }

    private void Apply(OutboxDiscard write)
    {
        if (_nursery.Outbox(write.Id) is { } young)
        {
            write.Discarded = HasEnded(young);
            if (write.Discarded) _nursery.Set(young, young.State with { Discarded = true });
            return;
        }

        _outbox.Discard.Bind(1, write.Id).Run();
        write.Discarded = _database.Changes != 0;
    }

    private sealed class OutboxStatements(SqliteDatabase database)
    {
        // No history and no line are NULL; || makes text of its parts, hence the cast.
        private const string AddLine = "CASE WHEN ?{0} IS NULL THEN history ELSE CAST(coalesce(history, '') || ?{0} || x'0A' AS BLOB) END";

        private static readonly string Progress =
            "UPDATE outbox SET state = ?3, attempts = ?4, next_attempt_at = ?5, error = coalesce(?6, error), history = " + Line(7)
            + """
            , pushed_at = CASE ?8 WHEN 0 THEN pushed_at ELSE ?8 END
            , acked_at = CASE ?9 WHEN 0 THEN acked_at ELSE ?9 END
            , delivered_at = CASE ?10 WHEN 0 THEN delivered_at ELSE ?10 END
            , ended_at = CASE ?11 WHEN 0 THEN ended_at ELSE ?11 END
            """;

        private const string Unsettled = " WHERE id = (SELECT id FROM outbox WHERE settled = 0 AND account = ?12 AND lane = ?1 AND seq = ?2)";

        public readonly SqliteStatement Append = database.Prepare(
            """
            INSERT INTO outbox(uuid, account, lane, seq, accepted_at, expires_at, reply_to, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """);

        public readonly SqliteStatement FindSeq = database.Prepare("SELECT lane, seq FROM outbox WHERE uuid = ?1");

        /// <summary>Not settled: what is pending stays so.</summary>
        public readonly SqliteStatement Update = database.Prepare(Progress + Unsettled);

        /// <summary>Settled well: the payload isn't needed any more.</summary>
        public readonly SqliteStatement Settle = database.Prepare(Progress + ", settled = 1, payload = NULL" + Unsettled);

        /// <summary>Dead or expired: the payload stays, for a replay.</summary>
        public readonly SqliteStatement End = database.Prepare(Progress + ", settled = 1" + Unsettled);

        /// <summary>Pushed → acked → delivered, of a settled entry; dead and expired (4 and above) → acked or delivered, when the client has it all the same.</summary>
        public readonly SqliteStatement Upgrade = database.Prepare(
            """
            UPDATE outbox SET state = ?3
            , pushed_at = CASE ?4 WHEN 0 THEN pushed_at ELSE ?4 END
            , acked_at = CASE acked_at WHEN 0 THEN ?5 ELSE acked_at END
            , delivered_at = CASE ?6 WHEN 0 THEN delivered_at ELSE ?6 END
            , ended_at = 0, payload = NULL
            WHERE uuid = ?1 AND settled = 1 AND state >= 1 AND (state < ?3 OR state >= 4)
            """);

        public readonly SqliteStatement FindEnded = database.Prepare("SELECT id, lane FROM outbox WHERE uuid = ?1 AND state >= 4 AND settled = 1");

        /// <summary>Its time to live counted from the first acceptance; who replays it wants it delivered, so it has none any more.</summary>
        public readonly SqliteStatement Replay = database.Prepare(
            "UPDATE outbox SET seq = ?2, state = 0, settled = 0, attempts = 0, next_attempt_at = 0, expires_at = 0, ended_at = 0, error = NULL, history = "
            + Line(3) + " WHERE id = ?1");

        public readonly SqliteStatement Discard = database.Prepare("DELETE FROM outbox WHERE uuid = ?1 AND state >= 4 AND settled = 1");

        private static string Line(int parameter) => AddLine.Replace("{0}", parameter.ToString(), StringComparison.Ordinal);
    }
}
