using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol;
using ChannelBridge.Storage.Common;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// Turns writes into statements on the writer's connection, inside a transaction that its owner begins and ends. Lives as long as the
/// connection; used by the writer thread only.
/// </summary>
internal sealed partial class WriteApplier
{
    // On SQLite a lane has one possible owner, so its fencing token never changes.
    private const long OnlyClaim = 1;
    private const int AccountCacheSize = 4096;

    private readonly SqliteDatabase _database;
    private readonly LaneCache _lanes;
    private readonly List<LaneState> _dirty = [];
    private readonly Dictionary<(string Channel, string Account), long> _accounts = [];

    // The greatest ids of rows that are in the tables. Ids that begin with the time are beyond them when they are new, and needn't be looked for.
    private Guid _newestInbox;
    private Guid _newestOutbox;

    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _commit;
    private readonly SqliteStatement _probe;
    private readonly SqliteStatement _findAccount;
    private readonly SqliteStatement _addAccount;
    private readonly SqliteStatement _findLane;
    private readonly SqliteStatement _findLaneById;
    private readonly SqliteStatement _addLane;
    private readonly SqliteStatement _saveLane;

    /// <param name="database">The writer's connection.</param>
    /// <param name="lanes">Is cleared.</param>
    /// <param name="recentKeys">How many dedupe keys stay in memory.</param>
    public WriteApplier(SqliteDatabase database, LaneCache lanes, int recentKeys)
    {
        _database = database;
        _lanes = lanes;
        lanes.Clear();
        _begin = database.Prepare("BEGIN IMMEDIATE");
        _commit = database.Prepare("COMMIT");
        _probe = database.Prepare("INSERT INTO meta(key, value) VALUES('probe', zeroblob(?1)) ON CONFLICT(key) DO UPDATE SET value = excluded.value");
        _findAccount = database.Prepare("SELECT id FROM account WHERE channel = ?1 AND account = ?2");
        _addAccount = database.Prepare("INSERT INTO account(channel, account) VALUES(?1, ?2)");
        _findLane = database.Prepare("SELECT id, last_in, last_out FROM lane WHERE account = ?1 AND session_key = ?2");
        _findLaneById = database.Prepare(
            "SELECT a.channel, a.account, l.session_key FROM lane l JOIN account a ON a.id = l.account WHERE l.id = ?1");
        _addLane = database.Prepare("INSERT INTO lane(account, session_key, last_in, last_out) VALUES(?1, ?2, 0, 0)");
        _saveLane = database.Prepare("UPDATE lane SET last_in = ?2, last_out = ?3 WHERE id = ?1");
        _inbox = new InboxStatements(database);
        _keys = new DedupeKeys(database, recentKeys);
        _outbox = new OutboxStatements(database);
        _records = new RecordStatements(database);
        _logs = new LogStatements(database);
        _sweep = new SweepStatements(database);
        _newestInbox = Newest("SELECT max(uuid) FROM inbox");
        _newestOutbox = Newest("SELECT max(uuid) FROM outbox");
    }

    /// <summary>Begins a transaction with the write lock.</summary>
    public void Begin() => _begin.Run();

    /// <summary>Applies a unit's writes in order.</summary>
    public void Apply(CommitUnit unit)
    {
        if (unit.Single is { } single)
        {
            Apply(single);
            return;
        }

        var batch = unit.Batch!;
        for (var i = 0; i < batch.Count; i++) Apply(batch[i]);
    }

    /// <summary>Writes what lanes keep in memory, then commits to the log; on the disk it is after the next flush.</summary>
    public void Commit(SqliteFaults faults)
    {
        _keys.MoveSlice();
        _logs.MoveRecent();
        foreach (var lane in _dirty) _saveLane.Bind(1, lane.Id).Bind(2, lane.LastIn).Bind(3, lane.LastOut).Run();
        faults.Commit(_commit.Run);
        foreach (var lane in _dirty) lane.Dirty = false;
        _dirty.Clear();
        _keys.Committed();
        _lanes.Trim();
        if (_accounts.Count > AccountCacheSize) _accounts.Clear();
    }

    /// <summary>Undoes everything since the beginning, in the file and in memory.</summary>
    public void Rollback()
    {
        // What was given out and looked up since the beginning isn't in the tables.
        _dirty.Clear();
        _lanes.Clear();
        _accounts.Clear();
        _keys.RolledBack();

        // Some failures have rolled back already.
        if (!_database.AutoCommit) _database.Execute("ROLLBACK");
        _logs.CountRecent();
    }

    private void Apply(StoreWrite write)
    {
        if (write is RecordWrite { With.TookPlace: false }) return;
        switch (write)
        {
            case InboxAppend w: Apply(w); break;
            case OutboxAppend w: Guard(w); Apply(w); break;
            case InboxUpdate w: Guard(w); Apply(w); break;
            case InboxReplay w: Guard(w); Apply(w); break;
            case InboxDiscard w: Guard(w); Apply(w); break;
            case OutboxUpdate w: Guard(w); Apply(w); break;
            case OutboxReplay w: Guard(w); Apply(w); break;
            case OutboxDiscard w: Guard(w); Apply(w); break;
            case RecordPut w: Apply(w); break;
            case RecordDelete w: Apply(w); break;
            case SequenceNext w: Apply(w); break;
            case SequenceAppend w: _logs.Append(w); break;
            case SweepWrite w: Apply(w); break;
            case ProbeWrite w: _probe.Bind(1, w.Bytes).Run(); break;
            default: throw new ArgumentException($"The SQLite store doesn't know the write {write.GetType().Name}.", nameof(write));
        }
    }

    private static void Guard(StoreWrite write)
    {
        if (write.Claim is OnlyClaim or StoreWrite.Unfenced) return;
        throw new BridgeException(ErrorCodes.ClaimLost, "The lane's claim is outdated: another host owns the lane now. Nothing was written.");
    }

    private LaneState Lane(in LaneKey key)
    {
        if (_lanes.Find(key) is { } known) return known;

        // Stored as it can be stored, and known by that: two texts that are stored alike are one lane.
        var stored = new LaneKey(SoundText.Storable(key.Channel), SoundText.Storable(key.Account), SoundText.Storable(key.SessionKey));
        return stored == key ? LoadLane(key) : _lanes.Find(stored) ?? LoadLane(stored);
    }

    private LaneState LoadLane(in LaneKey key)
    {
        var account = Account(key.Channel, key.Account);
        LaneState lane;
        _findLane.Bind(1, account).Bind(2, key.SessionKey);
        if (_findLane.Step())
        {
            lane = new LaneState(_findLane.GetInt64(0), account, key) { LastIn = _findLane.GetInt64(1), LastOut = _findLane.GetInt64(2) };
            _findLane.Reset();
        }
        else
        {
            _findLane.Reset();
            _addLane.Bind(1, account).Bind(2, key.SessionKey).Run();
            lane = new LaneState(_database.LastRowId, account, key);
        }

        _lanes.Add(lane);
        return lane;
    }

    private static (bool Found, long Row, long Lane) FindEntry(SqliteStatement find, Guid id)
    {
        var found = find.Bind(1, id).Step();
        var entry = found ? (true, find.GetInt64(0), find.GetInt64(1)) : default;
        find.Reset();
        return entry;
    }

    private LaneState LaneOfEntry(long id) => Lane(id)
        ?? throw new BridgeException(ErrorCodes.StoreCorrupt, "An entry's lane is missing: the store's file is damaged. Restore it from a backup.");

    private LaneState? Lane(long id)
    {
        if (_lanes.Find(id) is { } known) return known;
        _findLaneById.Bind(1, id);
        var found = _findLaneById.Step();
        var key = found ? new LaneKey(_findLaneById.GetText(0), _findLaneById.GetText(1), _findLaneById.GetText(2)) : default;
        _findLaneById.Reset();
        return found ? Lane(key) : null;
    }

    private long Account(string channel, string account)
    {
        if (_accounts.TryGetValue((channel, account), out var id)) return id;
        _findAccount.Bind(1, channel).Bind(2, account);
        var found = _findAccount.Step();
        if (found) id = _findAccount.GetInt64(0);
        _findAccount.Reset();
        if (!found)
        {
            _addAccount.Bind(1, channel).Bind(2, account).Run();
            id = _database.LastRowId;
        }

        _accounts.Add((channel, account), id);
        return id;
    }

    /// <summary>Gives out the next number of a lane's inbox.</summary>
    private long NextIn(LaneState lane)
    {
        Touch(lane);
        return ++lane.LastIn;
    }

    /// <summary>Gives out the next number of a lane's outbox.</summary>
    private long NextOut(LaneState lane)
    {
        Touch(lane);
        return ++lane.LastOut;
    }

    /// <summary>Has the lane's numbers written to the table with the transaction.</summary>
    private void Touch(LaneState lane)
    {
        if (lane.Dirty) return;
        lane.Dirty = true;
        _dirty.Add(lane);
    }

    private Guid Newest(string sql)
    {
        using var statement = _database.PrepareOnce(sql);
        return statement.Step() && statement.GetSize(0) == 16 ? statement.GetGuid(0) : Guid.Empty;
    }

    private static void Note(ref Guid newest, Guid id)
    {
        if (id > newest) newest = id;
    }

    private static bool Exists(SqliteStatement find, Guid id)
    {
        var found = find.Bind(1, id).Step();
        find.Reset();
        return found;
    }
}
