using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>Disks that fill up, fail to flush, or become read-only: no false acknowledgement, no loss, and recovery without a restart.</summary>
public class SqliteFaultTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly ScriptedFaults _faults = new();
    private readonly List<InboxAppend> _acked = [];
    private SqliteStore _store = null!;
    private int _keys;

    public async Task InitializeAsync() => await OpenAsync();

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Remove();
    }

    [Fact]
    public async Task Commit_DiskFull_FailsAndRecoversWhenThereIsSpace()
    {
        await AckAsync(Message());
        _faults.Before = execute => execute("PRAGMA max_page_count = 40");
        var failed = new List<InboxAppend>();
        for (var i = 0; i < 50; i++)
        {
            var append = Message(20_000);
            try
            {
                await AckAsync(append);
            }
            catch (BridgeException error)
            {
                Assert.Equal((ErrorCodes.StoreFull, true), (error.Code, error.Retryable));
                failed.Add(append);
            }
        }

        Assert.NotEmpty(failed);
        await Assert.ThrowsAsync<BridgeException>(async () => await _store.CommitAsync(new RecordPut { Namespace = "n", Key = "k", Value = new byte[50_000], At = 1 }));
        Assert.NotNull(await _store.GetInboxAsync(_acked[0].Id));
        _faults.Before = execute => execute("PRAGMA max_page_count = 1000000");
        await AckAsync(Message());
        await VerifyAsync(failed);
    }

    /// <summary>A small test write finds a corner on a full disk: the host said that it was ready, and refused every message.</summary>
    [Fact]
    public async Task Probe_DiskTooFullForWhatFailed_FailsUntilThereIsRoom()
    {
        await AckAsync(Message());
        await _store.ProbeAsync(CancellationToken.None);
        _faults.Before = execute => execute("PRAGMA max_page_count = 80");
        await Assert.ThrowsAsync<BridgeException>(async () => await _store.CommitAsync(new RecordPut { Namespace = "n", Key = "k", Value = new byte[900_000], At = 1 }));
        Assert.Equal(ErrorCodes.StoreFull, _store.Health.Failing);
        Assert.True(_store.Health.FailingSince > 0);

        var error = await Assert.ThrowsAsync<BridgeException>(async () => await _store.ProbeAsync(CancellationToken.None));
        Assert.Equal(ErrorCodes.StoreFull, error.Code);
        Assert.Equal(ErrorCodes.StoreFull, _store.Health.Failing);
        _faults.Before = execute => execute("PRAGMA max_page_count = 1000000");
        await _store.ProbeAsync(CancellationToken.None);
        Assert.Null(_store.Health.Failing);
    }

    [Fact]
    public async Task Commit_OneUnitTooLargeForTheDisk_FailsAloneInItsGroup()
    {
        await AckAsync(Message());
        _faults.Before = execute => execute("PRAGMA max_page_count = 60");
        var gate = _faults.Hold();
        var first = AckAsync(Message());
        await gate.Entered.Task.WaitAsync(TimeSpan.FromSeconds(60));
        var large = Message(500_000);
        var before = AckAsync(Message());
        var failing = AckAsync(large);
        var after = AckAsync(Message());
        gate.Open.Set();

        await first;
        await before;
        var error = await Assert.ThrowsAsync<BridgeException>(() => failing);
        Assert.Equal(ErrorCodes.StoreFull, error.Code);
        await after;
        await VerifyAsync([large]);
    }

    [Fact]
    public async Task Commit_FlushFails_NothingIsAckedAndTheConnectionIsReplaced()
    {
        await AckAsync(Message());
        var reopened = 0;
        _faults.Reopening = () => reopened++;
        _faults.Committing = _ => throw new SqliteException(Sqlite3.IoErrorFsync, "injected");
        var failed = Message();
        var error = await Assert.ThrowsAsync<BridgeException>(() => AckAsync(failed));
        Assert.Equal((ErrorCodes.StoreUnavailable, true), (error.Code, error.Retryable));

        _faults.Committing = null;
        await AckAsync(Message());
        Assert.Equal(1, reopened);
        await VerifyAsync([failed]);
    }

    [Fact]
    public async Task Commit_FlushFailsAfterTheCommitWasWritten_ARepeatIsADuplicateOfItself()
    {
        _faults.Committing = commit =>
        {
            commit();
            throw new SqliteException(Sqlite3.IoErrorFsync, "injected");
        };
        var unsure = Message();
        await Assert.ThrowsAsync<BridgeException>(() => AckAsync(unsure));
        _faults.Committing = null;

        // The sender repeats the message with a new id, as a bridge does.
        var again = Message(key: unsure.DedupeKey);
        await _store.CommitAsync(again);
        Assert.Equal((true, unsure.Id), (again.Duplicate, again.KnownId));
        var next = Message();
        await AckAsync(next);
        Assert.Equal(2, next.Ordinal);
    }

    [Fact]
    public async Task Flush_FailsBehindTheNextGroup_OnlyTheGroupsBeforeItAreInDoubt()
    {
        await AckAsync(Message());
        var gate = _faults.HoldFlush();
        var doubtful = Enumerable.Range(0, 10).Select(_ => Message()).ToArray();
        var committing = _faults.Hold();
        var first = AckAsync(Message());
        await committing.Entered.Task.WaitAsync(TimeSpan.FromSeconds(60));
        var failing = doubtful.Select(AckAsync).ToArray();
        committing.Open.Set();

        // Its own flush is the lone commit's, on the writer's thread or not: let it pass, and hold the one of the ten.
        await first;
        await gate.Entered.Task.WaitAsync(TimeSpan.FromSeconds(60));
        var next = Enumerable.Range(0, 10).Select(_ => AckAsync(Message())).ToArray();
        gate.Fail = true;
        gate.Open.Set();
        foreach (var task in failing) Assert.Equal(ErrorCodes.StoreUnavailable, (await Assert.ThrowsAsync<BridgeException>(() => task)).Code);
        await Task.WhenAll(next);

        // Their senders repeat them, and learn that they had been kept after all.
        foreach (var append in doubtful)
        {
            var again = Message(key: append.DedupeKey);
            await _store.CommitAsync(again);
            Assert.Equal((true, append.Id), (again.Duplicate, again.KnownId));
            lock (_acked) _acked.Add(append);
        }

        await VerifyAsync([]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(70)]
    public async Task Commit_FailsWhileDedupeKeysMove_ForgetsNone(int rounds)
    {
        // Five keys fill the memory, so each sixth commit moves some to the file: fail at any point of that.
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < 5; i++) await AckAsync(Message());
            _faults.Committing = _ => throw new SqliteException(Sqlite3.Full, "injected");
            for (var i = 0; i < (round % 3) + 1; i++) await Assert.ThrowsAsync<BridgeException>(() => AckAsync(Message()));
            _faults.Committing = null;
            await AckAsync(Message());
        }

        foreach (var append in _acked)
        {
            var again = Message(key: append.DedupeKey);
            await _store.CommitAsync(again);
            Assert.Equal((true, append.Id), (again.Duplicate, again.KnownId));
        }

        await VerifyAsync([]);
    }

    [Fact]
    public async Task Commit_GroupWhoseFlushFails_FailsEveryUnitOnce()
    {
        var gate = _faults.Hold();
        var first = AckAsync(Message());
        await gate.Entered.Task.WaitAsync(TimeSpan.FromSeconds(60));
        var group = Enumerable.Range(0, 20).Select(_ => Message()).ToArray();
        var tasks = group.Select(AckAsync).ToArray();
        var commits = 0;
        _faults.Committing = commit =>
        {
            if (++commits == 2) throw new SqliteException(Sqlite3.IoErrorWrite, "injected");
            commit();
        };
        gate.Open.Set();
        await first;
        foreach (var task in tasks) Assert.Equal(ErrorCodes.StoreUnavailable, (await Assert.ThrowsAsync<BridgeException>(() => task)).Code);
        await AckAsync(Message());
        Assert.Equal(3, commits);
        await VerifyAsync(group);
    }

    [Fact]
    public async Task Commit_ReopeningFails_EachCommitTriesAgain()
    {
        _faults.Committing = _ => throw new SqliteException(Sqlite3.IoErrorFsync, "injected");
        await Assert.ThrowsAsync<BridgeException>(() => AckAsync(Message()));
        _faults.Committing = null;
        var attempts = 0;
        _faults.Reopening = () =>
        {
            if (++attempts < 3) throw new SqliteException(Sqlite3.CantOpen, "injected");
        };
        for (var i = 0; i < 2; i++) Assert.Equal(ErrorCodes.StoreUnavailable, (await Assert.ThrowsAsync<BridgeException>(() => AckAsync(Message()))).Code);
        await AckAsync(Message());
        await VerifyAsync([]);
    }

    [Fact]
    public async Task Commit_DatabaseReadOnly_SaysSoAndRecovers()
    {
        await AckAsync(Message());
        _faults.Before = execute => execute("PRAGMA query_only = ON");
        var failed = Message();
        var error = await Assert.ThrowsAsync<BridgeException>(() => AckAsync(failed));
        Assert.Equal(ErrorCodes.StoreReadOnly, error.Code);
        await Assert.ThrowsAsync<BridgeException>(async () => await _store.ProbeAsync(CancellationToken.None));
        _faults.Before = null;
        await _store.ProbeAsync(CancellationToken.None);
        await AckAsync(Message());
        await VerifyAsync([failed]);
    }

    [Fact]
    public async Task Commit_FileGone_NeverMakesANewOne()
    {
        await AckAsync(Message());
        File.Move(_folder.File("store.db"), _folder.File("moved.db"));
        _faults.Committing = _ => throw new SqliteException(Sqlite3.IoErrorFsync, "injected");
        await Assert.ThrowsAsync<BridgeException>(() => AckAsync(Message()));
        _faults.Committing = null;
        Assert.Equal(ErrorCodes.StoreUnavailable, (await Assert.ThrowsAsync<BridgeException>(() => AckAsync(Message()))).Code);
        Assert.False(File.Exists(_folder.File("store.db")));
        File.Move(_folder.File("moved.db"), _folder.File("store.db"));
        await AckAsync(Message());
        await VerifyAsync([]);
    }

    [Fact]
    public async Task Commit_UnexpectedFault_FailsTheUnitAndGoesOn()
    {
        await Assert.ThrowsAsync<BridgeException>(async () => await _store.CommitAsync(new UnknownWrite()));
        await AckAsync(Message());
        await VerifyAsync([]);
    }

    [Fact]
    public async Task Log_WhileCommitsGoOn_IsMovedIntoTheFileAndBegunAnew()
    {
        // Guards against a log that grows for as long as there is work: each message is a page or more, and the log is long at 100.
        await _store.DisposeAsync();
        await OpenAsync(logPages: 100);
        for (var i = 0; i < 2000; i++) await AckAsync(Message(8000));
        Assert.InRange(new FileInfo(_folder.File("store.db-wal")).Length, 1, 1500 * 8192);
        await VerifyAsync([]);
    }

    [Fact]
    public async Task Log_TornAtItsEnd_LosesNothingThatWasFlushed()
    {
        for (var i = 0; i < 20; i++) await AckAsync(Message(5000));

        // What a crash leaves: the files as they are now, and garbage where the next frames were being written.
        var copy = new TempFolder();
        foreach (var name in new[] { "store.db", "store.db-wal" }) File.Copy(_folder.File(name), copy.File(name));
        using (var log = new FileStream(copy.File("store.db-wal"), FileMode.Append)) log.Write(Enumerable.Repeat((byte)0x5A, 9000).ToArray());
        await using (var other = new SqliteStore(new SqliteStoreOptions { Path = copy.File("store.db") }, NullLogger<SqliteStore>.Instance, TimeProvider.System))
        {
            await other.OpenAsync(CancellationToken.None);
            foreach (var append in _acked) Assert.NotNull(await other.GetInboxAsync(append.Id));
        }

        copy.Remove();
    }

    private async Task OpenAsync(int logPages = 8000)
    {
        _store = new SqliteStore(
            new SqliteStoreOptions
            {
                Path = _folder.File("store.db"),
                Faults = _faults,
                BusyTimeout = TimeSpan.FromMilliseconds(200),
                RecentKeys = 5,
                LogPages = logPages,
                OverlapAt = 3,
            },
            NullLogger<SqliteStore>.Instance,
            TimeProvider.System);
        await _store.OpenAsync(CancellationToken.None);
    }

    private InboxAppend Message(int size = 10, UInt128? key = null) => new()
    {
        Lane = new LaneKey("bncr", "main", "lane"),
        Id = Guid.CreateVersion7(),
        DedupeKey = key ?? (UInt128)Interlocked.Increment(ref _keys),
        DedupeUntil = long.MaxValue,
        At = 1,
        Payload = new byte[size],
    };

    private async Task AckAsync(InboxAppend append)
    {
        await _store.CommitAsync(append);
        lock (_acked) _acked.Add(append);
    }

    /// <summary>Everything acknowledged is there after a restart, in numbers without holes; what failed isn't.</summary>
    private async Task VerifyAsync(IReadOnlyCollection<InboxAppend> failed)
    {
        await _store.DisposeAsync();
        _faults.Before = null;
        _faults.Committing = null;
        await OpenAsync();
        var stored = await _store.ReadInboxAsync(_acked[0].LaneId, 0, int.MaxValue, int.MaxValue);
        Assert.Equal(_acked.OrderBy(a => a.Ordinal).Select(a => (a.Id, a.Ordinal)), stored.Select(e => (e.Id, e.Ordinal)));
        Assert.Equal(Enumerable.Range(1, stored.Count).Select(i => (long)i), stored.Select(e => e.Ordinal));
        foreach (var append in failed) Assert.Null(await _store.GetInboxAsync(append.Id));
        foreach (var append in _acked)
        {
            var again = Message(key: append.DedupeKey);
            await _store.CommitAsync(again);
            Assert.Equal((true, append.Id), (again.Duplicate, again.KnownId));
        }

        foreach (var append in failed.Where(a => a.Payload.Length < 100))
        {
            var again = Message(key: append.DedupeKey);
            await _store.CommitAsync(again);
            Assert.False(again.Duplicate);
        }
    }

    private sealed class UnknownWrite : StoreWrite;

    private sealed class Gate
    {
        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ManualResetEventSlim Open { get; } = new();

        public bool Fail { get; set; }

        public void Pass()
        {
            Entered.SetResult();
            Open.Wait(TimeSpan.FromSeconds(60));
        }
    }

    private sealed class ScriptedFaults : SqliteFaults
    {
        private Gate? _gate;
        private Gate? _flushGate;
        private int _flushes;

        public Action<Action<string>>? Before { get; set; }

        public Action<Action>? Committing { get; set; }

        public Action? Reopening { get; set; }

        public Gate Hold() => _gate = new Gate();

        /// <summary>Holds the second flush from now.</summary>
        public Gate HoldFlush()
        {
            _flushes = 0;
            return _flushGate = new Gate();
        }

        public override void BeforeGroup(Action<string> execute)
        {
            Before?.Invoke(execute);
        }

        public override void Commit(Action commit)
        {
            if (Interlocked.Exchange(ref _gate, null) is { } gate)
            {
                gate.Pass();
            }

            if (Committing is { } hook) hook(commit);
            else commit();
        }

        public override void Flush(Action flush)
        {
            if (_flushGate is { } gate && ++_flushes == 2)
            {
                _flushGate = null;
                gate.Pass();
                if (gate.Fail) throw new SqliteException(Sqlite3.IoErrorFsync, "injected");
            }

            flush();
        }

        public override void BeforeReopen() => Reopening?.Invoke();
    }
}
