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
        var transition = Transition.Of(write);
        var change = Transition.ChangeOf(write);
        if (_nursery.Outbox(write.LaneId, write.Seq) is { } young && transition.HoldsFor(young.State, change))
        {
            write.Changed = true;
            _nursery.Set(young, transition.Apply(young.State, change));
            return;
        }

        transition.Bind(_outbox.Of(transition).Bind(1, write.LaneId).Bind(2, write.Seq).Bind(3, lane.Account), change).Run();
        write.Changed = _database.Changes != 0;
        if (write.Changed || write.Id == Guid.Empty || write.State is not (DeliveryState.Acked or DeliveryState.Delivered)) return;

        // Settled already, or unknown: better news than what is stored is taken, anything else is not.
        change = Transition.UpgradeOf(write);
        if (_nursery.Outbox(write.Id) is { } settled)
        {
            write.Changed = Transition.Upgrade.HoldsFor(settled.State, change);
            if (write.Changed) _nursery.Set(settled, Transition.Upgrade.Apply(settled.State, change));
            return;
        }

        Transition.Upgrade.Bind(_outbox.Upgrade.Bind(1, write.Id), change).Run();
        write.Changed = _database.Changes != 0;
    }

    private void Apply(OutboxReplay write)
    {
        var change = new Change { Line = write.HistoryLine.Span };
        var young = _nursery.Outbox(write.Id);
        var row = 0L;
        if (young is not null) (write.Replayed, write.LaneId) = Transition.ReplayOutbox.HoldsFor(young.State, change) ? (true, young.Lane.Id) : (false, 0);
        else (write.Replayed, row, write.LaneId) = FindEntry(_outbox.FindEnded, write.Id);
        write.Seq = 0;
        if (!write.Replayed) return;

        var lane = young?.Lane ?? LaneOfEntry(write.LaneId);
        change.Place = write.Seq = NextOut(lane);
        Touch(lane);
        if (young is not null) _nursery.Set(young, Transition.ReplayOutbox.Apply(young.State, change));
        else Transition.ReplayOutbox.Bind(_outbox.Replay.Bind(1, row), change).Run();
    }

    private void Apply(OutboxDiscard write)
    {
        if (_nursery.Outbox(write.Id) is { } young)
        {
            write.Discarded = Transition.ReplayOutbox.HoldsFor(young.State, default);
            if (write.Discarded) _nursery.Set(young, young.State with { Discarded = true });
            return;
        }

        _outbox.Discard.Bind(1, write.Id).Run();
        write.Discarded = _database.Changes != 0;
    }

    private sealed class OutboxStatements(SqliteDatabase database)
    {
        public readonly SqliteStatement Append = database.Prepare(
            """
            INSERT INTO outbox(uuid, account, lane, seq, accepted_at, expires_at, reply_to, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """);

        public readonly SqliteStatement FindSeq = database.Prepare("SELECT lane, seq FROM outbox WHERE uuid = ?1");

        public readonly SqliteStatement Progress = Transition.Progress.Prepare(database, "outbox", ByNumber(Transition.Progress));

        public readonly SqliteStatement Settle = Transition.Settle.Prepare(database, "outbox", ByNumber(Transition.Settle));

        public readonly SqliteStatement End = Transition.End.Prepare(database, "outbox", ByNumber(Transition.End));

        public readonly SqliteStatement Upgrade = Transition.Upgrade.Prepare(database, "outbox", "uuid = ?1 AND " + Transition.Upgrade.Condition);

        public readonly SqliteStatement FindEnded = database.Prepare("SELECT id, lane FROM outbox WHERE uuid = ?1 AND " + Transition.ReplayOutbox.Condition);

        public readonly SqliteStatement Replay = Transition.ReplayOutbox.Prepare(database, "outbox", "id = ?1");

        public readonly SqliteStatement Discard = database.Prepare("DELETE FROM outbox WHERE uuid = ?1 AND " + Transition.ReplayOutbox.Condition);

        public SqliteStatement Of(Transition transition) => transition == Transition.Progress ? Progress : transition == Transition.Settle ? Settle : End;

        private static string ByNumber(Transition transition) =>
            $"id = (SELECT id FROM outbox WHERE {transition.Condition} AND account = ?3 AND lane = ?1 AND seq = ?2)";
    }
}
