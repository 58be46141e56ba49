using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// The index of dedupe keys, in parts by age. Keys come in no order, so a new one belongs on any page of an index of all: with many millions of
/// messages each of them would rewrite a page, and a checkpoint the whole index. New keys go to the newest part only, whose size is bounded; the
/// older ones are read when their filter, in memory, doesn't rule a key out. Used by the writer thread only.
/// </summary>
internal sealed class KeyParts
{
    private readonly List<(long Number, KeyFilter Filter)> _parts = [];
    private readonly List<(long Number, KeyFilter Filter)> _unsaved = [];
    private readonly SqliteStatement _find;
    private readonly SqliteStatement _put;
    private readonly SqliteStatement _save;
    private readonly SqliteStatement _isThere;
    private readonly int _partSize;
    private long _newest;
    private long _newestKeys;
    private int _setKeys;

    /// <summary>Loads the filters; those that weren't stored yet are made from their keys.</summary>
    /// <param name="database">The writer's connection.</param>
    /// <param name="partSize">How many keys a part has before the next one begins.</param>
    public KeyParts(SqliteDatabase database, int partSize)
    {
        _partSize = partSize;
        _find = database.Prepare("SELECT row FROM dedupe_key WHERE part = ?1 AND key = ?2");
        _put = database.Prepare(
            """
            INSERT INTO dedupe_key(part, key, row, until) VALUES(?1, ?2, ?3, ?4)
            ON CONFLICT(part, key) DO UPDATE SET row = excluded.row, until = excluded.until
            """);
        _save = database.Prepare("INSERT OR REPLACE INTO dedupe_filter(part, bits) VALUES(?1, ?2)");
        _isThere = database.Prepare("SELECT 1 FROM dedupe_key WHERE part = ?1 LIMIT 1");
        using var next = database.PrepareOnce("SELECT part FROM dedupe_key WHERE part > ?1 ORDER BY part LIMIT 1");
        using var stored = database.PrepareOnce("SELECT bits FROM dedupe_filter WHERE part = ?1");
        using var keys = database.PrepareOnce("SELECT key FROM dedupe_key WHERE part = ?1");
        using var count = database.PrepareOnce("SELECT count(*) FROM dedupe_key WHERE part = ?1");
        _newest = -1;
        while (Value(next.Bind(1, _newest)) is { } part)
        {
            _newest = part;
            stored.Bind(1, part);
            var filter = stored.Step() ? KeyFilter.From(stored.GetBytes(0)) : null;
            stored.Reset();
            _newestKeys = filter is null ? Value(count.Bind(1, part))!.Value : _partSize;
            if (filter is null)
            {
                filter = NewFilter(_newestKeys);
                keys.Bind(1, part);
                while (keys.Step()) filter.Add(keys.GetUInt128(0));
                keys.Reset();
                _unsaved.Add((part, filter));
            }

            _parts.Add((part, filter));
        }

        // The one that is still being filled is stored when it is full.
        if (_newestKeys < _partSize) _unsaved.RemoveAll(part => part.Number == _newest);
    }

    /// <summary>Finds the row that had a key last.</summary>
    public bool TryFind(UInt128 key, out long row)
    {
        for (var i = _parts.Count - 1; i >= 0; i--)
        {
            if (!_parts[i].Filter.MayContain(key)) continue;
            if (Value(_find.Bind(1, _parts[i].Number).BindKey(2, key)) is not { } found) continue;
            row = found;
            return true;
        }

        row = 0;
        return false;
    }

    /// <summary>Opens the part that the next keys go to. To be called before a set of them, outside of a transaction.</summary>
    public void BeginSet()
    {
        if (_parts.Count > 0 && _newestKeys < _partSize) return;
        DropSwept();
        _newest++;
        _newestKeys = 0;
        _parts.Add((_newest, NewFilter(0)));
    }

    /// <summary>Puts a key; what is rolled back and put again does no harm.</summary>
    public void Put(UInt128 key, long row, long until)
    {
        _put.Bind(1, _newest).BindKey(2, key).Bind(3, row).Bind(4, until).Run();
        _parts[^1].Filter.Add(key);
    }

    /// <summary>A set of keys has been put: within its last transaction. Filters of full parts are stored, so that a start needn't read their keys.</summary>
    public void EndSet(int keys)
    {
        _setKeys = keys;
        if (_newestKeys + keys >= _partSize) Save(_parts[^1]);
        foreach (var part in _unsaved) Save(part);
    }

    /// <summary>The transaction of <see cref="EndSet"/> is committed.</summary>
    public void SetKept()
    {
        _newestKeys += _setKeys;
        _setKeys = 0;
        _unsaved.Clear();
    }

    // A sweep removes parts whose time is up; here is where that is noticed.
    private void DropSwept()
    {
        for (var i = _parts.Count - 2; i >= 0; i--)
        {
            if (Value(_isThere.Bind(1, _parts[i].Number)) is null) _parts.RemoveAt(i);
        }
    }

    private void Save((long Number, KeyFilter Filter) part) => _save.Bind(1, part.Number).Bind(2, part.Filter.ToBytes()).Run();

    // The last set of a part may go beyond its size.
    private KeyFilter NewFilter(long keys) => new(Math.Max(keys, _partSize + (_partSize / 4)));

    private static long? Value(SqliteStatement statement)
    {
        var value = statement.Step() ? statement.GetInt64(0) : (long?)null;
        statement.Reset();
        return value;
    }
}
