using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// The numbered logs, on the writer's connection. Entries are appended to one table; the index by log and number has a small front part, so that an
/// append to each of a thousand logs doesn't change a thousand pages of a large one.
/// </summary>
internal sealed class LogStatements
{
    // How many rows the front part has when it moves: twenty pages or so.
    private const int MostRecent = 4096;

    private readonly SqliteDatabase _database;
    private readonly SqliteStatement _find;
    private readonly SqliteStatement _make;
    private readonly SqliteStatement _grow;
    private readonly SqliteStatement _findOnce;
    private readonly SqliteStatement _add;
    private readonly SqliteStatement _place;
    private readonly SqliteStatement _expired;
    private readonly SqliteStatement _delete;
    private readonly SqliteStatement _deleteRecent;
    private readonly SqliteStatement _deletePlace;
    private long _recent;

    /// <param name="database">The writer's connection.</param>
    public LogStatements(SqliteDatabase database)
    {
        _database = database;
        _find = database.Prepare("SELECT id, last FROM log WHERE name = ?1");
        _make = database.Prepare("INSERT INTO log(name, last) VALUES(?1, 0)");
        _grow = database.Prepare("UPDATE log SET last = ?2 WHERE id = ?1");
        _findOnce = database.Prepare(
            "SELECT number FROM log_entry WHERE once = ?1 AND log = ?2 AND (expires_at = 0 OR expires_at > ?3) ORDER BY number LIMIT 1");
        _add = database.Prepare("INSERT INTO log_entry(log, number, once, expires_at, value) VALUES(?1, ?2, ?3, ?4, ?5)");
        _place = database.Prepare("INSERT INTO log_recent(log, number, entry) VALUES(?1, ?2, ?3)");
        _expired = database.Prepare(
            "SELECT id, log, number FROM log_entry INDEXED BY log_expiry WHERE expires_at > 0 AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2");
        _delete = database.Prepare("DELETE FROM log_entry WHERE id = ?1");
        _deleteRecent = database.Prepare("DELETE FROM log_recent WHERE log = ?1 AND number = ?2");
        _deletePlace = database.Prepare("DELETE FROM log_place WHERE log = ?1 AND number = ?2");
        CountRecent();
    }

    /// <summary>Appends a value, unless it is known.</summary>
    public void Append(SequenceAppend write)
    {
        var (log, last) = Log(write.Sequence);
        write.Duplicate = write.Once is not null && TryFindOnce(write, log);
        if (write.Duplicate) return;
        write.Number = last + 1;
        _grow.Bind(1, log).Bind(2, write.Number).Run();
        _add.Bind(1, log).Bind(2, write.Number).Bind(3, write.Once).Bind(4, write.ExpiresAt).Bind(5, write.Value.Span).Run();
        _place.Bind(1, log).Bind(2, write.Number).Bind(3, _database.LastRowId).Run();
        _recent++;
    }

    /// <summary>Moves the front part of the index to the large one when it is large enough, within the transaction.</summary>
    public void MoveRecent()
    {
        if (_recent < MostRecent) return;
        _database.Execute("INSERT INTO log_place SELECT log, number, entry FROM log_recent ORDER BY log, number; DELETE FROM log_recent");
        _recent = 0;
    }

    /// <summary>Counts the front part of the index anew, at the start and after a rollback.</summary>
    public void CountRecent() => _recent = _database.QueryInt64("SELECT count(*) FROM log_recent");

    /// <summary>Removes entries whose time is up.</summary>
    /// <returns>How many went.</returns>
    public int Sweep(long now, int limit)
    {
        var rows = new List<(long Entry, long Log, long Number)>();
        _expired.Bind(1, now).Bind(2, limit);
        while (_expired.Step()) rows.Add((_expired.GetInt64(0), _expired.GetInt64(1), _expired.GetInt64(2)));
        _expired.Reset();
        foreach (var (entry, log, number) in rows)
        {
            _delete.Bind(1, entry).Run();
            _deletePlace.Bind(1, log).Bind(2, number).Run();
            if (_database.Changes != 0) continue;
            _deleteRecent.Bind(1, log).Bind(2, number).Run();
            _recent -= _database.Changes;
        }

        return rows.Count;
    }

    private (long Id, long Last) Log(string name)
    {
        var found = _find.Bind(1, name).Step();
        var log = found ? (_find.GetInt64(0), _find.GetInt64(1)) : default;
        _find.Reset();
        if (found) return log;
        _make.Bind(1, name).Run();
        return (_database.LastRowId, 0);
    }

    private bool TryFindOnce(SequenceAppend write, long log)
    {
        var found = _findOnce.Bind(1, write.Once).Bind(2, log).Bind(3, write.At).Step();
        if (found) write.Number = _findOnce.GetInt64(0);
        _findOnce.Reset();
        return found;
    }
}
