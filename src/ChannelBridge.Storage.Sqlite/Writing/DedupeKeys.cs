using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// Which inbox row has a dedupe key. Keys are hashes: in an index that is kept row by row each of them would land on a page of its own, and writing
/// that page to the log costs more than all the rest of an append. So the newest keys are kept in memory, where a restart rebuilds them from the
/// rows themselves, and move to the index (<see cref="KeyParts"/>) sorted and in slices: neighbours share pages.
/// </summary>
/// <remarks>
/// All rows up to the mark (in <c>meta</c>) have their keys in the index; rows behind it are in memory. A key may name a row that is gone:
/// whoever finds it looks at the row. Used by the writer thread only.
/// </remarks>
internal sealed class DedupeKeys
{
    // Twice as many keys move as come, so that one set has moved before the next is full; and many at once, because they share pages.
    private const int MovesPerKey = 2;
    private const int MostAtOnce = 1024;

    // A part's pages are written anew by each set that goes to it, and each part is one more place to look: four keep both small.
    private const int SetsPerPart = 4;

    private readonly int _capacity;
    private readonly int _atOnce;
    private readonly KeyParts _index;
    private readonly SqliteStatement _saveMark;

    // Where the keys added since the last commit were before: row 0 is nowhere.
    private readonly List<(UInt128 Key, Place Before)> _added = [];

    private readonly Dictionary<UInt128, Place> _recent = [];

    // The set that is moving: keys in order and their places; what is before _moved has been put, what is before _kept is committed.
    private UInt128[] _keys = [];
    private Place[] _places = [];
    private int _moved;
    private int _kept;
    private int _due;

    // Where the mark was at the start.
    private readonly long _mark;
    private long _lastRow;
    private long _lastRowKept;

    /// <summary>Loads the keys of the rows behind the mark.</summary>
    /// <param name="database">The writer's connection.</param>
    /// <param name="capacity">How many keys are kept in memory before they move; up to twice as many are held.</param>
    public DedupeKeys(SqliteDatabase database, int capacity)
    {
        _capacity = capacity;
        _atOnce = Math.Clamp(capacity / 16, 1, MostAtOnce);
        _index = new KeyParts(database, capacity * SetsPerPart);
        _saveMark = database.Prepare("INSERT INTO meta(key, value) VALUES('key_mark', ?1) ON CONFLICT(key) DO UPDATE SET value = excluded.value");
        _mark = database.QueryInt64("SELECT value FROM meta WHERE key = 'key_mark'");
        using var load = database.PrepareOnce("SELECT id, dedupe, dedupe_until FROM inbox WHERE id > ?1 ORDER BY id");
        load.Bind(1, _mark);
        while (load.Step()) _recent[load.GetUInt128(1)] = new Place(load.GetInt64(0), load.GetInt64(2));
        _lastRow = _lastRowKept = Math.Max(_mark, database.QueryInt64("SELECT max(id) FROM inbox"));
    }

    /// <summary>Adds a row that isn't in its table yet, at the start.</summary>
    public void Restore(UInt128 key, long row, long until)
    {
        if (row <= _mark) return;
        if (!_recent.TryGetValue(key, out var place) || place.Row < row) _recent[key] = new Place(row, until);
        _lastRow = _lastRowKept = Math.Max(_lastRow, row);
    }

    /// <summary>The key for the next row of the inbox.</summary>
    public long NextRow => _lastRow + 1;

    /// <summary>Finds the row that had a key last; the row may be gone.</summary>
    public bool TryFind(UInt128 key, out long row)
    {
        if (_recent.TryGetValue(key, out var place))
        {
            row = place.Row;
            return true;
        }

        if (_keys.Length > 0 && Array.BinarySearch(_keys, key) is >= 0 and var index)
        {
            row = _places[index].Row;
            return true;
        }

        return _index.TryFind(key, out row);
    }

    /// <summary>Notes that <see cref="NextRow"/> was inserted with a key.</summary>
    public void Add(UInt128 key, long until)
    {
        _added.Add((key, _recent.GetValueOrDefault(key)));
        _recent[key] = new Place(++_lastRow, until);
    }

    /// <summary>Moves the next slice to the index when it is large enough, within the transaction.</summary>
    public void MoveSlice()
    {
        _due += MovesPerKey * _added.Count;
        if (_keys.Length == 0 || _due < _atOnce) return;
        var end = Math.Min(_keys.Length, _moved + _due);
        _due = 0;
        for (; _moved < end; _moved++) _index.Put(_keys[_moved], _places[_moved].Row, _places[_moved].Until);
        if (_moved != _keys.Length) return;
        _saveMark.Bind(1, _places.Max(p => p.Row)).Run();
        _index.EndSet(_keys.Length);
    }

    /// <summary>The transaction is durable.</summary>
    public void Committed()
    {
        _added.Clear();
        _lastRowKept = _lastRow;
        _kept = _moved;
        if (_keys.Length > 0 && _kept == _keys.Length)
        {
            _keys = [];
            _places = [];
            _moved = _kept = 0;
            _index.SetKept();
        }

        if (_recent.Count < _capacity || _keys.Length > 0) return;
        _keys = [.. _recent.Keys];
        _places = [.. _recent.Values];
        _recent.Clear();
        Array.Sort(_keys, _places);
        _due = 0;
        _index.BeginSet();
    }

    /// <summary>The transaction is undone.</summary>
    public void RolledBack()
    {
        for (var i = _added.Count - 1; i >= 0; i--)
        {
            var (key, before) = _added[i];
            if (before.Row == 0) _recent.Remove(key);
            else _recent[key] = before;
        }

        _added.Clear();
        _lastRow = _lastRowKept;
        _moved = _kept;
    }

    private readonly record struct Place(long Row, long Until);
}
