using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Reading;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>What only SQLite can get wrong: files, modes, locks, foreign and damaged files, the bounded queue.</summary>
public sealed class SqliteStoreTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly List<SqliteStore> _stores = [];
    private int _keys;

    private string DbPath => _folder.File("store.db");

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var store in _stores) await store.DisposeAsync();
        _folder.Remove();
    }

    [Fact]
    public async Task Open_NewFolder_MakesOwnerOnlyFiles()
    {
        if (OperatingSystem.IsWindows()) return;
        var path = Path.Combine(_folder.Path, "new", "deeper", "store.db");
        var store = await OpenAsync(path: path);
        await store.CommitAsync(Message());
        const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(path)!)) Assert.Equal((file, OwnerFile), (file, File.GetUnixFileMode(file)));
        Assert.Equal(["store.db", "store.db-shm", "store.db-wal", "store.db.lock"], Directory.GetFiles(Path.GetDirectoryName(path)!).Select(Path.GetFileName).Order());
        Assert.Equal(OwnerFile | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(path)!));
    }

    /// <summary>The engine prepares a statement anew for each bound value that its plan may depend on, which takes many times what the reading does.</summary>
    [Fact]
    public async Task Reads_WithOtherValues_PrepareNoStatementAnew()
    {
        var store = await OpenAsync();
        await store.CommitAsync(Message());
        await store.CommitAsync([
            new RecordPut { Namespace = "n", Key = "k", Index = "i", Value = "v"u8.ToArray(), At = 1, ExpiresAt = long.MaxValue },
            new SequenceAppend { Sequence = "s", Value = "v"u8.ToArray(), At = 1 },
        ]);
        using var reader = new SqliteReader(DbPath, TimeSpan.FromSeconds(1));
        for (var step = 0; step < 3; step++)
        {
            var (limit, now) = (10 + step, 1000 + step);
            Assert.NotNull(reader.GetRecord("n", "k", now));
            Assert.Single(reader.ListRecords("n", null, step == 0 ? null : "a", limit, now));
            Assert.Single(reader.ListRecords("n", "i", step == 0 ? null : "a", limit, now));
            Assert.Single(reader.ReadSequence("s", 0, limit, now));
            var lane = Assert.Single(reader.ListTurnLanes(0, limit));
            Assert.Single(reader.ReadInbox(lane.Id, 0, limit, 1 << 20));
            Assert.Empty(reader.ReadOutbox(lane.Id, 0, limit, 1 << 20));
            Assert.Empty(reader.ListPushLanes("bncr", $"account-{step}", 0, limit));
            Assert.Empty(reader.ListDeadInbox((step, Guid.NewGuid()), limit, headersOnly: false));
        }

        Assert.Equal(0, reader.PreparedAnew);
    }

    [Fact]
    public async Task Open_FileThatOthersCanRead_IsTightened()
    {
        if (OperatingSystem.IsWindows()) return;
        await (await OpenAsync()).DisposeAsync();
        File.SetUnixFileMode(DbPath, (UnixFileMode)0b110_100_100);
        await OpenAsync();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(DbPath));
    }

    [Fact]
    public async Task Open_WhileAnotherHostHasIt_SaysSo()
    {
        var first = await OpenAsync();
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync());
        Assert.Equal(ErrorCodes.StoreUnavailable, error.Code);
        Assert.Contains("in use by another host", error.Message, StringComparison.Ordinal);
        await first.DisposeAsync();
        await OpenAsync();
    }

    [Fact]
    public async Task Open_AfterAFailedOpen_WorksOnTheSameObject()
    {
        var first = await OpenAsync();
        var second = Make(new SqliteStoreOptions { Path = DbPath });
        await Assert.ThrowsAsync<BridgeException>(async () => await second.OpenAsync(CancellationToken.None));
        await first.DisposeAsync();
        await second.OpenAsync(CancellationToken.None);
        await second.ProbeAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Open_NewerSchema_IsRefusedUnchanged()
    {
        await (await OpenAsync()).DisposeAsync();
        Execute("PRAGMA user_version = 99");
        var before = File.ReadAllBytes(DbPath);
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync());
        Assert.Contains("newer version", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(DbPath));
    }

    [Fact]
    public async Task Open_DatabaseOfAnotherProgram_IsRefusedUnchanged()
    {
        File.WriteAllBytes(DbPath, []);
        Execute("CREATE TABLE theirs(x)");
        var before = File.ReadAllBytes(DbPath);
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync());
        Assert.Contains("another program", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(DbPath));
    }

    [Fact]
    public async Task Open_FileThatIsNoDatabase_IsCorrupt()
    {
        File.WriteAllText(DbPath, string.Join('\n', Enumerable.Repeat("these are not the bytes you are looking for", 100)));
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync());
        Assert.Equal(ErrorCodes.StoreCorrupt, error.Code);
        Assert.Contains(DbPath, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_FolderThatIsAFile_IsUnavailable()
    {
        File.WriteAllText(_folder.File("file"), "");
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync(path: Path.Combine(_folder.Path, "file", "store.db")));
        Assert.Equal(ErrorCodes.StoreUnavailable, error.Code);
    }

    [Fact]
    public async Task Open_FolderThatCannotBeWritten_IsReadOnly()
    {
        if (!OperatingSystem.IsLinux()) return;

        // Not even root may make a file there.
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync(path: "/sys/kernel/channelbridge.db"));
        Assert.Equal((ErrorCodes.StoreReadOnly, true), (error.Code, error.Retryable));
        Assert.Contains("/sys/kernel", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_DamagedPages_SaysCorrupt()
    {
        var store = await OpenAsync();
        var appends = Enumerable.Range(0, 200).Select(_ => Message(size: 3000)).ToArray();
        await store.CommitAsync(appends);
        await store.DisposeAsync();
        using (var file = File.OpenWrite(DbPath))
        {
            // Everything behind the schema's pages.
            file.Position = 8192 * 30;
            file.Write(Enumerable.Repeat((byte)0xA5, 4096 * 60).ToArray());
        }

        // Opening reads the newest rows already.
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync());
        Assert.Equal((ErrorCodes.StoreCorrupt, false), (error.Code, error.Retryable));
        Assert.Contains("backup", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_Always_EmptiesTheLog()
    {
        var store = await OpenAsync();
        await store.CommitAsync(Message());
        await store.DisposeAsync();
        await store.DisposeAsync();
        Assert.False(File.Exists(DbPath + "-wal"));
        Assert.True(File.Exists(DbPath));
    }

    [Fact]
    public async Task Commit_QueueFull_IsBusyAndWritesNothing()
    {
        var gate = new GateFaults();
        var store = await OpenAsync(new SqliteStoreOptions { Path = DbPath, QueueCapacity = 4, Faults = gate });
        var running = store.CommitAsync(Message()).AsTask();
        await gate.Entered.WaitAsync(TimeSpan.FromSeconds(60));
        var queued = Enumerable.Range(0, 4).Select(_ => store.CommitAsync(Message()).AsTask()).ToArray();
        var refused = Message();
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await store.CommitAsync(refused));
        Assert.Equal((ErrorCodes.Busy, true), (error.Code, error.Retryable));
        Assert.True(error.RetryAfter > TimeSpan.Zero);

        gate.Open();
        await running;
        await Task.WhenAll(queued);
        Assert.Null(await store.GetInboxAsync(refused.Id));
        await store.CommitAsync(refused);
        Assert.Equal(6, refused.Ordinal);
    }

    [Fact]
    public async Task Commit_CancelledWhileQueued_WritesNothing()
    {
        var gate = new GateFaults();
        var store = await OpenAsync(new SqliteStoreOptions { Path = DbPath, Faults = gate });
        var running = store.CommitAsync(Message()).AsTask();
        await gate.Entered.WaitAsync(TimeSpan.FromSeconds(60));
        using var cancel = new CancellationTokenSource();
        var cancelled = Message();
        var waiting = store.CommitAsync(cancelled, cancel.Token).AsTask();
        await cancel.CancelAsync();
        gate.Open();
        await running;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Null(await store.GetInboxAsync(cancelled.Id));
    }

    [Fact]
    public async Task Reads_WhileTheWriterIsBusy_DoNotWait()
    {
        var gate = new GateFaults();
        var store = await OpenAsync(new SqliteStoreOptions { Path = DbPath, Faults = gate });
        var first = Message();
        gate.Open();
        await store.CommitAsync(first);
        gate.Close();
        var running = store.CommitAsync(Message()).AsTask();
        await gate.Entered.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.NotNull(await store.GetInboxAsync(first.Id));
        Assert.False(running.IsCompleted);
        gate.Open();
        await running;
    }

    [Fact]
    public void Options_OutOfRange_AreRefusedByName()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Make(new SqliteStoreOptions { Path = DbPath, QueueCapacity = 0 }));
        Assert.Equal(nameof(SqliteStoreOptions.QueueCapacity), error.ParamName);
        Assert.Throws<ArgumentException>(() => Make(new SqliteStoreOptions { Path = " " }));
    }

    [Fact]
    public void Engine_OfThePackage_IsLoadedAndMended()
    {
        SqliteLibrary.EnsureLoaded();
        Assert.Equal((SqliteEngine.Package, "3.53.3", false), (SqliteLibrary.Loaded, SqliteLibrary.Version, SqliteLibrary.HasLogFault));
    }

    [Theory]
    [InlineData(SqliteEngine.Package, true, true, SqliteEngine.Package)]
    [InlineData(SqliteEngine.Package, false, true, SqliteEngine.System)]
    [InlineData(SqliteEngine.System, true, true, SqliteEngine.System)]
    public void Engine_ThatDoesNotLoad_GivesWayToTheSystems(SqliteEngine wanted, bool package, bool system, SqliteEngine loaded)
    {
        var (handle, engine) = SqliteLibrary.Find(wanted, _ => package ? 1 : 0, _ => system ? 2 : 0);
        Assert.Equal((loaded, loaded == SqliteEngine.Package ? 1 : 2), (engine, (int)handle));
    }

    [Theory]
    [InlineData(SqliteEngine.Package, "doesn't run on this system")]
    [InlineData(SqliteEngine.System, "was not found")]
    public void Engine_NotThere_SaysWhatToInstall(SqliteEngine wanted, string says)
    {
        Assert.Equal(IntPtr.Zero, SqliteLibrary.Find(wanted, _ => 0, _ => 0).Handle);
        var error = SqliteLibrary.NotFound(wanted, null);
        Assert.Equal(ErrorCodes.StoreUnavailable, error.Code);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        if (OperatingSystem.IsLinux()) Assert.Contains("apt-get install libsqlite3-0", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3_040_001, true)]
    [InlineData(3_044_005, true)]
    [InlineData(3_044_006, false)]
    [InlineData(3_045_000, true)]
    [InlineData(3_050_006, true)]
    [InlineData(3_050_007, false)]
    [InlineData(3_051_002, true)]
    [InlineData(3_051_003, false)]
    [InlineData(3_053_003, false)]
    public void Engine_BelowAMendedVersion_IsKnownByItsNumber(int version, bool faulty) => Assert.Equal(faulty, SqliteLibrary.HasFault(version));

    [Fact]
    public async Task AddSqliteStore_Registered_ResolvesOneStoreAndKeepsAnEarlierOne()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSqliteStore(options => options.Path = DbPath);
        services.AddSqliteStore(options => options.Readers = 1);
        Assert.Single(services, s => s.ServiceType == typeof(IStore));
        await using var provider = services.BuildServiceProvider();
        var store = Assert.IsType<SqliteStore>(provider.GetRequiredService<IStore>());
        Assert.Contains(DbPath, store.Description, StringComparison.Ordinal);

        var own = new ServiceCollection();
        own.AddSingleton<IStore>(new MemoryStore());
        own.AddSqliteStore(options => options.Path = DbPath);
        Assert.IsType<MemoryStore>(own.BuildServiceProvider().GetRequiredService<IStore>());
    }

    private InboxAppend Message(int size = 10)
    {
        var key = Interlocked.Increment(ref _keys);
        return new InboxAppend
        {
            Lane = new LaneKey("bncr", "main", "lane"),
            Id = Guid.CreateVersion7(),
            DedupeKey = (UInt128)key,
            DedupeUntil = long.MaxValue,
            At = 1,
            Payload = new byte[size],
        };
    }

    private SqliteStore Make(SqliteStoreOptions options)
    {
        var store = new SqliteStore(options, NullLogger<SqliteStore>.Instance, TimeProvider.System);
        _stores.Add(store);
        return store;
    }

    private async Task<SqliteStore> OpenAsync(SqliteStoreOptions? options = null, string? path = null)
    {
        var store = Make(options ?? new SqliteStoreOptions { Path = path ?? DbPath });
        await store.OpenAsync(CancellationToken.None);
        return store;
    }

    private void Execute(string sql)
    {
        using var database = SqliteDatabase.Open(DbPath, readOnly: false, TimeSpan.Zero);
        database.Execute(sql);
    }

    /// <summary>Holds the writer at the door of each group until it is opened.</summary>
    private sealed class GateFaults : SqliteFaults
    {
        private readonly ManualResetEventSlim _open = new();
        private TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Entered => _entered.Task;

        public void Open() => _open.Set();

        public void Close()
        {
            _entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _open.Reset();
        }

        public override void BeforeGroup(Action<string> execute)
        {
            _entered.TrySetResult();
            _open.Wait(TimeSpan.FromSeconds(60));
        }
    }
}
