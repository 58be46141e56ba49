using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Writing;

namespace ChannelBridge.Storage.Sqlite.Young;

/// <summary>
/// The newest entries. An entry costs most while it is young: appended with its payload, changed once or twice within milliseconds, then at rest
/// without a payload. So it doesn't go to its table at once: what a transaction appends and changes is one row of the table <c>nursery</c>, a
/// page, committed and flushed as everything else; the entries themselves are in memory. They move to their tables in the order of their appends, when
/// they are many, in the state that they have by then: for most of them a small row, written once. A page goes when all entries up to its end have moved.
/// </summary>
/// <remarks>
/// Only the writer thread changes anything. Readers see the committed state of entries, and look here before they look into the tables; the lock is for
/// them. A start reads the pages. See <see cref="YoungEntry"/> for the two states of an entry.
/// </remarks>
internal sealed partial class Nursery
{
    // Moving writes some ten pages anew, whether for one entry or for hundreds: so a thirty-second of the bound moves at once. More than this many in one
    // transaction would keep those waiting who are in it; and more than it brings, so that the bounds hold.
    private const int Share = 32;
    private const int MostAtOnce = 2048;
    private const int MovesPerAppend = 4;

    private readonly Lock _gate = new();
    private readonly int _maxEntries;
    private readonly long _maxBytes;
    private readonly Queue<YoungEntry> _entries = new();
    private readonly List<YoungPage> _pages = [];
    private readonly Stack<YoungInbox> _freeInboxes = new();
    private readonly Stack<YoungOutbox> _freeOutboxes = new();
    private readonly Stack<YoungPage> _freePages = new();
    private readonly Dictionary<long, LaneState> _lanes = [];
    private readonly Dictionary<(long Lane, long Ordinal), YoungInbox> _inbox = [];
    private readonly Dictionary<(long Lane, long Seq), YoungOutbox> _outbox = [];
    private readonly Dictionary<Guid, YoungInbox> _inboxById = [];
    private readonly Dictionary<Guid, YoungOutbox> _outboxById = [];
    private readonly Dictionary<long, YoungInbox> _inboxByRow = [];

    // Of the transaction that is open.
    private readonly List<YoungEntry> _touched = [];
    private readonly List<YoungEntry> _added = [];
    private readonly List<YoungEntry> _moving = [];
    private int _obsolete;
    private YoungPage _page = new();
    private bool _stored;

    private long _lastNumber;
    private long _lastKept;
    private long _lastPage;
    private long _bytes;
    private long _version;

    /// <param name="maxEntries">How many entries stay; older ones move.</param>
    /// <param name="maxBytes">How many bytes of pages stay in memory.</param>
    public Nursery(int maxEntries, long maxBytes)
    {
        _maxEntries = maxEntries;
        _maxBytes = maxBytes;
    }

    /// <summary>The number of the last append.</summary>
    public long LastNumber => _lastNumber;

    /// <summary>The number of the last entry that has moved, the open transaction's moves included.</summary>
    public long MovedNumber => _moving.Count > 0 ? _moving[^1].Number : _entries.TryPeek(out var first) ? first.Number - 1 : _lastNumber;

    /// <summary>The inbox entries, in the order of their rows; for the start.</summary>
    public IEnumerable<YoungInbox> Inboxes => _entries.OfType<YoungInbox>();

    /// <summary>Reads the pages of a store that is opened.</summary>
    /// <param name="database">The writer's connection.</param>
    /// <param name="lane">Finds a lane by its id.</param>
    public void Load(SqliteDatabase database, Func<long, LaneState> lane)
    {
        using var read = database.PrepareOnce("SELECT id, writes FROM nursery ORDER BY id");
        var moved = 0L;
        var byNumber = new List<YoungEntry>();
        while (read.Step())
        {
            var page = YoungPage.Read(_lastPage = read.GetInt64(0), read.GetBytes(1));
            _page.Return();
            _page = page;
            _lastNumber = page.FirstNumber - 1;
            moved = page.Moved;
            ReadPage(lane, byNumber);
            Settle();
            Forget();
            Keep(_lastPage);
        }

        _lastKept = _lastNumber;

        while (_entries.TryPeek(out var first) && first.Number <= moved)
        {
            _entries.Dequeue();
            Remove(first);
            Free(first);
        }

        foreach (var entry in _entries)
        {
            if (entry is YoungInbox inbox) entry.Lane.LastIn = Math.Max(entry.Lane.LastIn, inbox.State.Ordinal);
            else if (entry is YoungOutbox outbox) entry.Lane.LastOut = Math.Max(entry.Lane.LastOut, outbox.State.Seq);
        }
    }

    /// <summary>Appends an inbox entry.</summary>
    public void Add(InboxAppend write, LaneState lane, long row, long ordinal)
    {
        _page.Kind(YoungKind.InboxAppend).Number(lane.Id).Number(row).Id(write.Id).Key(write.DedupeKey).Number(write.DedupeUntil).Number(write.At)
            .Number(ordinal).Bytes(write.Payload.Span);
        var entry = Rent(_freeInboxes, lane, write.Id, write.At, _page.Length - write.Payload.Length, write.Payload.Length);
        entry.Row = row;
        entry.DedupeKey = write.DedupeKey;
        entry.DedupeUntil = write.DedupeUntil;
        entry.State = new InboxState { Ordinal = ordinal };
        Add(entry);
    }

    /// <summary>Appends an outbox entry.</summary>
    public void Add(OutboxAppend write, LaneState lane, long seq)
    {
        _page.Kind(YoungKind.OutboxAppend).Number(lane.Id).Id(write.Id).Byte(write.ReplyTo is null ? (byte)0 : (byte)1).Id(write.ReplyTo ?? Guid.Empty)
            .Number(write.At).Number(write.ExpiresAt).Number(seq).Bytes(write.Payload.Span);
        var entry = Rent(_freeOutboxes, lane, write.Id, write.At, _page.Length - write.Payload.Length, write.Payload.Length);
        entry.ReplyTo = write.ReplyTo;
        entry.State = new OutboxState { Seq = seq, ExpiresAt = write.ExpiresAt };
        Add(entry);
    }

    /// <summary>Finds an inbox entry by its number in the lane.</summary>
    public YoungInbox? Inbox(long lane, long ordinal) => _inbox.GetValueOrDefault((lane, ordinal));

    /// <summary>Finds an inbox entry by its id.</summary>
    public YoungInbox? Inbox(Guid id) => _inboxById.GetValueOrDefault(id);

    /// <summary>Finds an inbox entry by the row that it will have.</summary>
    public YoungInbox? InboxOfRow(long row) => _inboxByRow.GetValueOrDefault(row);

    /// <summary>Finds an outbox entry by its number in the lane.</summary>
    public YoungOutbox? Outbox(long lane, long seq) => _outbox.GetValueOrDefault((lane, seq));

    /// <summary>Finds an outbox entry by its id; not one that was discarded.</summary>
    public YoungOutbox? Outbox(Guid id) => _outboxById.GetValueOrDefault(id);

    /// <summary>Gives an inbox entry a new state.</summary>
    public void Set(YoungInbox entry, in InboxState state)
    {
        _page.State(entry.Number, state);
        lock (_gate) Change(entry, state);
    }

    /// <summary>Gives an outbox entry a new state.</summary>
    public void Set(YoungOutbox entry, in OutboxState state)
    {
        _page.State(entry.Number, state);
        lock (_gate) Change(entry, state);
    }

    /// <summary>Moves what is beyond the bounds: to be called at a transaction's end.</summary>
    /// <param name="move">Puts an entry into its table.</param>
    public void MoveOld(Action<YoungEntry> move)
    {
        if (_entries.Count <= _maxEntries && _bytes <= _maxBytes) return;
        var most = Math.Max(MostAtOnce, MovesPerAppend * _added.Count);
        var bytes = _bytes;
        while (_moving.Count < most && _entries.Count > 0 && (_entries.Count > _maxEntries - (_maxEntries / Share) || bytes > _maxBytes - (_maxBytes / Share)))
        {
            bytes -= MoveFirst(move);
        }
    }

    /// <summary>Moves the oldest entries.</summary>
    /// <param name="most">How many at most.</param>
    /// <param name="upTo">The last number that is moved.</param>
    /// <param name="move">Puts an entry into its table.</param>
    public void Move(int most, long upTo, Action<YoungEntry> move)
    {
        for (; most > 0 && _entries.TryPeek(out var first) && first.Number <= upTo; most--) MoveFirst(move);
    }

    /// <summary>Completes the page of the transaction: the last thing to be done before the commit.</summary>
    /// <param name="insert">Stores a page.</param>
    /// <param name="delete">Removes pages up to an id.</param>
    public void Store(SqliteStatement insert, SqliteStatement delete)
    {
        if (_page.IsEmpty && _moving.Count == 0) return;
        if (_obsolete > 0) delete.Bind(1, _pages[_obsolete - 1].Id).Run();

        // Where everything has moved, nothing needs to be said.
        _stored = _entries.Count > 0;
        if (!_stored)
        {
            delete.Bind(1, _lastPage).Run();
            return;
        }

        insert.Bind(1, _lastPage + 1).Bind(2, _page.Seal(_lastKept + 1, MovedNumber)).Run();
    }

    /// <summary>The transaction is committed: readers may see it.</summary>
    public void Committed()
    {
        lock (_gate)
        {
            if (_moving.Count > 0) _version++;
            Settle();
            foreach (var entry in _moving)
            {
                Remove(entry);
                Free(entry);
            }

            if (_entries.Count == 0) _obsolete = _pages.Count;
            foreach (var page in _pages.Take(_obsolete))
            {
                _bytes -= page.Buffer.Length;
                page.Return();
                _freePages.Push(page);
            }

            _pages.RemoveRange(0, _obsolete);
            if (_stored) Keep(++_lastPage);
            else _page.Clear();
        }

        _lastKept = _lastNumber;
        Forget();
    }

    /// <summary>The transaction is undone.</summary>
    public void RolledBack()
    {
        lock (_gate)
        {
            // What was moving are the oldest ones: they go back to the front.
            if (_moving.Count > 0)
            {
                var rest = _entries.ToArray();
                _entries.Clear();
                foreach (var entry in _moving.Concat(rest)) _entries.Enqueue(entry);
            }

            foreach (var entry in _touched)
            {
                // Still touched while it is changed back, so that the list stays as it is.
                if (entry is { Committed: true } and YoungInbox inbox) Change(inbox, inbox.Kept);
                else if (entry is { Committed: true } and YoungOutbox outbox) Change(outbox, outbox.Kept);
                entry.Touched = false;
            }

            if (_added.Count > 0)
            {
                var kept = _entries.Where(entry => entry.Committed).ToArray();
                _entries.Clear();
                foreach (var entry in kept) _entries.Enqueue(entry);
                foreach (var lane in _added.Select(entry => entry.Lane).Distinct()) Unlink(lane);
                foreach (var entry in _added)
                {
                    RemoveFromIndexes(entry);
                    Free(entry);
                }
            }

            _page.Clear();
        }

        _lastNumber = _lastKept;
        Forget();
    }

    private T Rent<T>(Stack<T> free, LaneState lane, Guid id, long at, int offset, int length)
        where T : YoungEntry, new()
    {
        var entry = free.TryPop(out var used) ? used : new T();
        entry.Number = ++_lastNumber;
        entry.Id = id;
        entry.Lane = lane;
        entry.AcceptedAt = at;
        entry.Page = _page;
        entry.Offset = offset;
        entry.Length = length;
        return entry;
    }

    private void Free(YoungEntry entry)
    {
        entry.Committed = entry.Touched = false;
        entry.Lane = null!;
        entry.Page = null!;
        if (entry is YoungInbox inbox)
        {
            inbox.Next = null;
            inbox.State = inbox.Kept = default;
            _freeInboxes.Push(inbox);
        }
        else if (entry is YoungOutbox outbox)
        {
            outbox.Next = null;
            outbox.State = outbox.Kept = default;
            _freeOutboxes.Push(outbox);
        }
    }

    private void Add(YoungEntry entry)
    {
        lock (_gate)
        {
            _entries.Enqueue(entry);
            _added.Add(entry);
            Touch(entry);
            var lane = entry.Lane;
            if (lane.FirstInbox is null && lane.FirstOutbox is null) Begin(lane);
            if (entry is YoungInbox inbox)
            {
                _inbox[(lane.Id, inbox.State.Ordinal)] = inbox;
                _inboxById[inbox.Id] = inbox;
                _inboxByRow[inbox.Row] = inbox;
                if (lane.LastInbox is { } last) last.Next = inbox;
                else lane.FirstInbox = inbox;
                lane.LastInbox = inbox;
            }
            else if (entry is YoungOutbox outbox)
            {
                _outbox[(lane.Id, outbox.State.Seq)] = outbox;
                _outboxById[outbox.Id] = outbox;
                if (lane.LastOutbox is { } last) last.Next = outbox;
                else lane.FirstOutbox = outbox;
                lane.LastOutbox = outbox;
            }
        }
    }

    private void Begin(LaneState lane)
    {
        _lanes[lane.Id] = lane;
        lane.InOrder = true;
    }

    private void Change(YoungInbox entry, in InboxState state)
    {
        if (state.Ordinal != entry.State.Ordinal)
        {
            Drop(_inbox, (entry.Lane.Id, entry.State.Ordinal), entry);
            _inbox[(entry.Lane.Id, state.Ordinal)] = entry;
            entry.Lane.InOrder = false;
        }

        entry.State = state;
        Touch(entry);
    }

    private void Change(YoungOutbox entry, in OutboxState state)
    {
        if (state.Seq != entry.State.Seq) entry.Lane.InOrder = false;
        if (state.Seq != entry.State.Seq || state.Discarded != entry.State.Discarded)
        {
            Drop(_outbox, (entry.Lane.Id, entry.State.Seq), entry);
            Drop(_outboxById, entry.Id, entry);
            if (!state.Discarded)
            {
                _outbox[(entry.Lane.Id, state.Seq)] = entry;
                _outboxById[entry.Id] = entry;
            }
        }

        entry.State = state;
        Touch(entry);
    }

    private void Touch(YoungEntry entry)
    {
        if (entry.Touched) return;
        entry.Touched = true;
        _touched.Add(entry);
    }

    /// <summary>Moves the oldest entry; gives how many bytes of pages are free by that.</summary>
    private long MoveFirst(Action<YoungEntry> move)
    {
        var entry = _entries.Peek();
        move(entry);
        lock (_gate) _entries.Dequeue();
        _moving.Add(entry);
        var freed = 0L;
        for (; _obsolete < _pages.Count && _pages[_obsolete].LastNumber <= entry.Number; _obsolete++) freed += _pages[_obsolete].Buffer.Length;
        return freed;
    }

    private void Remove(YoungEntry entry)
    {
        var lane = entry.Lane;
        if (entry is YoungInbox inbox && lane.FirstInbox == inbox)
        {
            lane.FirstInbox = inbox.Next;
            if (inbox.Next is null) lane.LastInbox = null;
        }
        else if (entry is YoungOutbox outbox && lane.FirstOutbox == outbox)
        {
            lane.FirstOutbox = outbox.Next;
            if (outbox.Next is null) lane.LastOutbox = null;
        }

        if (lane.FirstInbox is null && lane.FirstOutbox is null) _lanes.Remove(lane.Id);
        RemoveFromIndexes(entry);
    }

    private void RemoveFromIndexes(YoungEntry entry)
    {
        if (entry is YoungInbox inbox)
        {
            Drop(_inbox, (entry.Lane.Id, inbox.State.Ordinal), inbox);
            Drop(_inboxById, entry.Id, inbox);
            Drop(_inboxByRow, inbox.Row, inbox);
        }
        else if (entry is YoungOutbox outbox)
        {
            Drop(_outbox, (entry.Lane.Id, outbox.State.Seq), outbox);
            Drop(_outboxById, entry.Id, outbox);
        }
    }

    // A key may name another entry by now.
    private static void Drop<TKey, TEntry>(Dictionary<TKey, TEntry> index, TKey key, TEntry entry)
        where TKey : notnull
        where TEntry : YoungEntry
    {
        if (index.TryGetValue(key, out var found) && ReferenceEquals(found, entry)) index.Remove(key);
    }

    /// <summary>Takes what isn't committed out of a lane's lists.</summary>
    private void Unlink(LaneState lane)
    {
        YoungInbox? lastInbox = null;
        for (var entry = lane.FirstInbox; entry is { Committed: true }; entry = entry.Next) lastInbox = entry;
        lane.LastInbox = lastInbox;
        if (lastInbox is null) lane.FirstInbox = null;
        else lastInbox.Next = null;

        YoungOutbox? lastOutbox = null;
        for (var entry = lane.FirstOutbox; entry is { Committed: true }; entry = entry.Next) lastOutbox = entry;
        lane.LastOutbox = lastOutbox;
        if (lastOutbox is null) lane.FirstOutbox = null;
        else lastOutbox.Next = null;
        if (lane.FirstInbox is null && lane.FirstOutbox is null) _lanes.Remove(lane.Id);
    }

    /// <summary>Keeps the page of the transaction, and begins a new one.</summary>
    private void Keep(long id)
    {
        _page.Id = id;
        _page.LastNumber = _lastNumber;
        _page.Trim();
        _bytes += _page.Buffer.Length;
        _pages.Add(_page);
        _page = _freePages.TryPop(out var free) ? free : new YoungPage();
    }

    /// <summary>What the writer sees is committed.</summary>
    private void Settle()
    {
        foreach (var entry in _touched)
        {
            if (entry is YoungInbox inbox) inbox.Kept = inbox.State;
            else if (entry is YoungOutbox outbox) outbox.Kept = outbox.State;
            entry.Touched = false;
            entry.Committed = true;
        }
    }

    private void Forget()
    {
        _touched.Clear();
        _added.Clear();
        _moving.Clear();
        _obsolete = 0;
        _stored = false;
    }
}
