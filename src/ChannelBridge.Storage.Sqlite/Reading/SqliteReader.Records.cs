using System.Runtime.InteropServices;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Writing;

namespace ChannelBridge.Storage.Sqlite.Reading;

/// <content>Records, counts, and what a sweep looks for.</content>
internal sealed partial class SqliteReader
{
    public StoreRecord? GetRecord(string ns, string key, long now)
    {
        var read = Use().Record.Bind(1, ns).Bind(2, key).Bind(3, now);
        var record = read.Step() ? ToRecord(read) : null;
        read.Reset();
        return record;
    }

    public IReadOnlyList<StoreRecord> ListRecords(string ns, string? index, string? after, int limit, long now)
    {
        var records = new List<StoreRecord>();
        var read = index is null ? Use().Records : Use().RecordsByIndex.Bind(5, index);
        read.Bind(1, ns).Bind(2, after ?? "").Bind(3, now).Bind(4, limit);
        while (read.Step()) records.Add(ToRecord(read));
        read.Reset();
        return records;
    }

    public IReadOnlyList<SequenceEntry> ReadSequence(string sequence, long after, int limit, long now)
    {
        var entries = new List<SequenceEntry>();
        var statements = Use();

        // One transaction, so that what moves from one part of the index to the other isn't missed.
        statements.Database.Execute("BEGIN");
        try
        {
            Read(statements.LogPlaces);
            if (entries.Count < limit) Read(statements.LogRecent);
            return entries;
        }
        finally
        {
            statements.Database.Execute("COMMIT");
        }

        void Read(SqliteStatement read)
        {
            read.Bind(1, sequence).Bind(2, after).Bind(3, now).Bind(4, limit - entries.Count);
            while (read.Step()) entries.Add(new SequenceEntry(read.GetInt64(0), read.GetCopy(1), read.GetInt64(2)));
            read.Reset();
        }
    }

    /// <summary>Rows and pages; what is beside the file is the caller's.</summary>
    public StoreSpace Measure(long now)
    {
        var database = Use().Database;
        var page = database.QueryInt64("PRAGMA page_size");
        database.Execute("BEGIN");
        try
        {
            // The keys of the rows behind the mark are in their rows only.
            return new StoreSpace
            {
                MeasuredAt = now,
                DataBytes = database.QueryInt64("PRAGMA page_count") * page,
                FreeBytes = database.QueryInt64("PRAGMA freelist_count") * page,
                InboxRows = database.QueryInt64("SELECT count(*) FROM inbox"),
                OutboxRows = database.QueryInt64("SELECT count(*) FROM outbox"),
                RecordRows = database.QueryInt64("SELECT count(*) FROM record"),
                LogRows = database.QueryInt64("SELECT count(*) FROM log_entry"),
                DedupeKeys = database.QueryInt64(
                    """
                    SELECT (SELECT count(*) FROM dedupe_key)
                        + (SELECT count(*) FROM inbox WHERE id > coalesce((SELECT value FROM meta WHERE key = 'key_mark'), 0))
                    """),
                DeadLetters = database.QueryInt64(
                    """
                    SELECT (SELECT count(*) FROM inbox INDEXED BY inbox_dead WHERE state = 2)
                        + (SELECT count(*) FROM outbox INDEXED BY outbox_ended WHERE state >= 4)
                    """),
            };
        }
        finally
        {
            database.Execute("COMMIT");
        }
    }

    public IReadOnlyList<AccountCounts> Count()
    {
        var counts = new Dictionary<long, AccountCounts>();
        var database = Use().Database;

        // One transaction, so that the four counts are of one moment.
        database.Execute("BEGIN");
        try
        {
            Each(
                database,
                """
                SELECT l.account, count(*), min(i.accepted_at) FROM inbox i INDEXED BY inbox_pending JOIN lane l ON l.id = i.lane
                WHERE i.state = 0 GROUP BY l.account
                """,
                (ref c, n, oldest) => c = c with { InboxPending = n, OldestInboxAt = oldest });
            Each(
                database,
                "SELECT l.account, count(*), 0 FROM inbox i INDEXED BY inbox_dead JOIN lane l ON l.id = i.lane WHERE i.state = 2 GROUP BY l.account",
                (ref c, n, _) => c = c with { InboxDead = n });
            Each(
                database,
                "SELECT account, count(*), min(accepted_at) FROM outbox INDEXED BY outbox_pending WHERE settled = 0 GROUP BY account",
                (ref c, n, oldest) => c = c with { OutboxPending = n, OldestOutboxAt = oldest });
            Each(
                database,
                "SELECT account, count(*), 0 FROM outbox INDEXED BY outbox_ended WHERE state >= 4 AND state = 5 GROUP BY account",
                (ref c, n, _) => c = c with { OutboxDead = n });
            return Name(database, counts);
        }
        finally
        {
            database.Execute("COMMIT");
        }

        void Each(SqliteDatabase source, string sql, Counter set)
        {
            using var read = source.PrepareOnce(sql);
            while (read.Step())
            {
                ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(counts, read.GetInt64(0), out _);
                set(ref count, read.GetInt64(1), read.GetInt64(2));
            }
        }
    }

    /// <summary>Rows that a sweep may remove, behind a cursor; at most <see cref="SweepWrite.MaxRows"/>.</summary>
    public IReadOnlyList<long> FindSweepable(SweepKind kind, SweepLimits limits, ref long afterTime, ref long afterRow)
    {
        var sql = kind == SweepKind.Inbox
            ? """
              SELECT id, 0 FROM inbox INDEXED BY inbox_done WHERE state = 1 AND dedupe_until <= ?1
              UNION ALL
              SELECT id, 0 FROM inbox INDEXED BY inbox_dead WHERE state = 2 AND ended_at < ?3 AND dedupe_until <= ?1
              LIMIT ?6
              """
            : $"""
              SELECT id, accepted_at FROM outbox INDEXED BY outbox_accepted
              WHERE accepted_at >= ?4 AND (accepted_at > ?4 OR id > ?5) AND accepted_at < max(?2, ?3) AND {SweepWrite.OutboxCondition}
              ORDER BY accepted_at, id LIMIT ?6
              """;
        using var read = Use().Database.PrepareOnce(sql);
        read.Bind(6, SweepWrite.MaxRows).Bind(3, limits.DeadBefore);
        if (kind == SweepKind.Inbox) read.Bind(1, limits.Now);
        else read.Bind(2, limits.SettledBefore).Bind(4, afterTime).Bind(5, afterRow);
        var rows = new List<long>();
        while (read.Step())
        {
            rows.Add(afterRow = read.GetInt64(0));
            afterTime = read.GetInt64(1);
        }

        return rows;
    }

    /// <summary>The first part of the dedupe keys behind another one, and whether every key in it has had its time; null when there is none.</summary>
    public (long Part, bool Over)? FindKeyPart(SweepLimits limits, long after)
    {
        using var read = Use().Database.PrepareOnce(
            """
            SELECT part, NOT EXISTS(SELECT 1 FROM dedupe_key WHERE part = p.part AND until > ?2)
            FROM dedupe_key p WHERE part > ?1 ORDER BY part LIMIT 1
            """);
        return read.Bind(1, after).Bind(2, limits.Now).Step() ? (read.GetInt64(0), read.GetInt64(1) != 0) : null;
    }

    private static List<AccountCounts> Name(SqliteDatabase database, Dictionary<long, AccountCounts> counts)
    {
        var named = new List<AccountCounts>(counts.Count);
        using var read = database.PrepareOnce("SELECT id, channel, account FROM account ORDER BY channel, account");
        while (read.Step())
        {
            if (!counts.TryGetValue(read.GetInt64(0), out var count) || count == default) continue;
            named.Add(count with { Channel = read.GetText(1), Account = read.GetText(2) });
        }

        return named;
    }

    private static StoreRecord ToRecord(SqliteStatement row) =>
        new(row.GetText(0), row.GetCopy(1), row.GetInt64(2), row.GetTextOrNull(3), row.GetInt64(4));

    private delegate void Counter(ref AccountCounts counts, long number, long oldest);
}
