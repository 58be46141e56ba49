using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Upkeep;

/// <summary>
/// Files up to schema 4 kept their newest entries in the table <c>nursery</c> (docs/decisions/0010): a row, called a page, for each transaction, with what was
/// appended and every later state of it. This puts them into the tables where everything else is, in the state that they have by now.
/// </summary>
internal sealed class OldNursery
{
    private readonly List<Entry> _entries = [];
    private long _first;
    private long _moved;

    private OldNursery()
    {
    }

    /// <summary>Moves every entry, within the transaction of the migration.</summary>
    /// <exception cref="SqliteException">A page is damaged: nothing is moved.</exception>
    public static void Move(SqliteDatabase database)
    {
        var nursery = new OldNursery();
        using (var pages = database.PrepareOnce("SELECT writes FROM nursery ORDER BY id"))
        {
            while (pages.Step()) nursery.Read(pages.GetBytes(0));
        }

        nursery.Insert(database);
    }

    private void Read(ReadOnlySpan<byte> bytes)
    {
        var page = new Page(bytes);
        if (_entries.Count == 0) _first = page.FirstNumber;
        _moved = page.Moved;
        while (!page.AtEnd)
        {
            switch (page.Byte())
            {
                case 1: _entries.Add(Inbox.Read(ref page)); break;
                case 2: _entries.Add(Outbox.Read(ref page)); break;
                case 3: page.Find<Inbox>(_entries, _first).Change(ref page); break;
                case 4: page.Find<Outbox>(_entries, _first).Change(ref page); break;
                default: throw Damaged("holds an unknown record");
            }
        }
    }

    private void Insert(SqliteDatabase database)
    {
        using var inbox = database.PrepareOnce(
            """
            INSERT INTO inbox(lane, ordinal, state, attempts, next_attempt_at, accepted_at, ended_at, error, payload, uuid, id, dedupe_until, dedupe)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            """);
        using var outbox = database.PrepareOnce(
            """
            INSERT INTO outbox(account, lane, seq, state, attempts, next_attempt_at, accepted_at, ended_at, error, payload, uuid,
                settled, expires_at, pushed_at, acked_at, delivered_at, reply_to, history)
            VALUES((SELECT account FROM lane WHERE id = ?1), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
            """);
        using var lastIn = database.PrepareOnce("UPDATE lane SET last_in = max(last_in, ?2) WHERE id = ?1");
        using var lastOut = database.PrepareOnce("UPDATE lane SET last_out = max(last_out, ?2) WHERE id = ?1");
        for (var i = 0; i < _entries.Count; i++)
        {
            // Those up to there have their rows already, which know better.
            if (_first + i <= _moved) continue;
            var entry = _entries[i];
            if (!entry.Discarded) entry.Insert(entry is Inbox ? inbox : outbox);
            (entry is Inbox ? lastIn : lastOut).Bind(1, entry.Lane).Bind(2, entry.Place).Run();
        }
    }

    private static SqliteException Damaged(string how) => new(Sqlite3.Corrupt, $"a page of the newest messages {how}");

    /// <summary>What both kinds have: the same columns but for the place's name.</summary>
    private abstract class Entry
    {
        public long Lane { get; protected init; }

        public long Place { get; private set; }

        public bool Discarded { get; protected set; }

        protected Guid Id { get; init; }

        protected long AcceptedAt { get; init; }

        protected byte[] Payload { get; set; } = [];

        protected long State { get; private set; }

        protected long Attempts { get; private set; }

        protected long NextAttemptAt { get; private set; }

        protected long EndedAt { get; set; }

        protected string? Error { get; set; }

        /// <summary>Binds what both kinds have, and inserts the row.</summary>
        public virtual void Insert(SqliteStatement into) => into
            .Bind(1, Lane).Bind(2, Place).Bind(3, State).Bind(4, Attempts).Bind(5, NextAttemptAt).Bind(6, AcceptedAt).Bind(7, EndedAt).Bind(8, Error)
            .Bind(9, Payload).Bind(10, Id).Run();

        protected void Begin(long place, ReadOnlySpan<byte> payload) => (Place, Payload) = (place, payload.ToArray());

        /// <summary>Reads how a state begins.</summary>
        /// <returns>What is set of it.</returns>
        protected byte ChangeState(ref Page page)
        {
            (Place, State) = (page.Number(), page.Byte());
            var flags = page.Byte();
            (Attempts, NextAttemptAt) = (page.Number(), page.Number());
            return flags;
        }
    }

    private sealed class Inbox : Entry
    {
        private long _row;
        private UInt128 _key;
        private long _dedupeUntil;

        public static Inbox Read(ref Page page)
        {
            var (lane, row, id, key, until, at) = (page.Number(), page.Number(), page.Id(), page.Key(), page.Number(), page.Number());
            var entry = new Inbox { Lane = lane, Id = id, AcceptedAt = at, _row = row, _key = key, _dedupeUntil = until };
            entry.Begin(page.Number(), page.Bytes());
            return entry;
        }

        public void Change(ref Page page)
        {
            if (ChangeState(ref page) != 0) Payload = [];
            (EndedAt, Error) = (page.Number(), page.Text());
        }

        public override void Insert(SqliteStatement into) => base.Insert(into.Bind(11, _row).Bind(12, _dedupeUntil).BindKey(13, _key));
    }

    private sealed class Outbox : Entry
    {
        private Guid? _replyTo;
        private bool _settled;
        private long _expiresAt;
        private long _pushedAt;
        private long _ackedAt;
        private long _deliveredAt;
        private byte[] _history = [];

        public static Outbox Read(ref Page page)
        {
            var (lane, id, isReply, replyTo, at, expires) = (page.Number(), page.Id(), page.Byte() != 0, page.Id(), page.Number(), page.Number());
            var entry = new Outbox { Lane = lane, Id = id, AcceptedAt = at, _replyTo = isReply ? replyTo : null, _expiresAt = expires };
            entry.Begin(page.Number(), page.Bytes());
            return entry;
        }

        public void Change(ref Page page)
        {
            var flags = ChangeState(ref page);
            (_settled, Discarded) = ((flags & 1) != 0, (flags & 4) != 0);
            if ((flags & 2) != 0) Payload = [];
            (_expiresAt, _pushedAt, _ackedAt, _deliveredAt) = (page.Number(), page.Number(), page.Number(), page.Number());
            (EndedAt, Error) = (page.Number(), page.Text());
            _history = page.Bytes().ToArray();
        }

        public override void Insert(SqliteStatement into)
        {
            into.Bind(11, _settled ? 1 : 0).Bind(12, _expiresAt).Bind(13, _pushedAt).Bind(14, _ackedAt).Bind(15, _deliveredAt).Bind(17, _history);
            base.Insert(_replyTo is { } turn ? into.Bind(16, turn) : into.BindNull(16));
        }
    }

    /// <summary>A page: a header of 32 bytes (version, checksum, number of its first append, how far entries had moved), then records.</summary>
    private ref struct Page
    {
        private const int HeaderSize = 32;
        private const byte Version = 1;

        private readonly ReadOnlySpan<byte> _bytes;
        private int _at = HeaderSize;

        public Page(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length < HeaderSize || bytes[0] != Version || BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) != Checksum(bytes[8..])) throw Damaged("is damaged");
            _bytes = bytes;
        }

        public readonly bool AtEnd => _at == _bytes.Length;

        public readonly long FirstNumber => BinaryPrimitives.ReadInt64LittleEndian(_bytes[8..]);

        public readonly long Moved => BinaryPrimitives.ReadInt64LittleEndian(_bytes[16..]);

        public byte Byte() => Take(1)[0];

        public long Number() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

        public Guid Id() => new(Take(16));

        public UInt128 Key() => BinaryPrimitives.ReadUInt128LittleEndian(Take(16));

        public ReadOnlySpan<byte> Bytes() => Take(BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int))));

        public string? Text() => Byte() == 0 ? null : Encoding.UTF8.GetString(Bytes());

        /// <summary>The entry whose number comes next. One whose page is gone has moved: its state is read and dropped.</summary>
        public T Find<T>(List<Entry> entries, long first)
            where T : Entry, new()
        {
            var index = Number() - first;
            return index >= 0 && index < entries.Count && entries[(int)index] is T entry ? entry : new T();
        }

        private ReadOnlySpan<byte> Take(int size)
        {
            if (size < 0 || size > _bytes.Length - _at) throw Damaged("ends too soon");
            _at += size;
            return _bytes.Slice(_at - size, size);
        }

        private static uint Checksum(ReadOnlySpan<byte> bytes)
        {
            var sum = uint.MaxValue;
            foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes)) sum = BitOperations.Crc32C(sum, word);
            foreach (var value in bytes[(bytes.Length & ~7)..]) sum = BitOperations.Crc32C(sum, value);
            return sum;
        }
    }
}
