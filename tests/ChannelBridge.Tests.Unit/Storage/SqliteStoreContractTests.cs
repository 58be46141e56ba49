using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>The contract on SQLite, with so little memory that lanes are looked up and dedupe keys move to the file all the time.</summary>
public class SqliteStoreContractTests : StoreContractTests
{
    private readonly TempFolder _folder = new();

    private protected virtual SqliteStoreOptions Options => new() { LaneCacheSize = 3, RecentKeys = 7 };

    protected override IStore Create()
    {
        var options = Options;
        options.Path = _folder.File("store.db");
        return new SqliteStore(options, NullLogger<SqliteStore>.Instance, Time);
    }

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Remove();
    }
}

/// <summary>The same where every other commit of the model's batches fails: what is undone leaves no trace.</summary>
public sealed class SqliteFailingCommitContractTests : SqliteStoreContractTests
{
    private readonly FailingCommits _faults = new();

    private protected override SqliteStoreOptions Options => new() { LaneCacheSize = 3, RecentKeys = 7, Faults = _faults };

    protected override async ValueTask CommitAsync(IReadOnlyList<StoreWrite> writes)
    {
        _faults.Failures = writes.Count % 3;
        for (var left = writes.Count % 3; left > 0; left--) await Assert.ThrowsAsync<BridgeException>(async () => await base.CommitAsync(writes));
        await base.CommitAsync(writes);
    }

    private sealed class FailingCommits : SqliteFaults
    {
        public int Failures { get; set; }

        public override void Commit(Action commit)
        {
            if (Failures-- > 0) throw new SqliteException(Failures % 2 == 0 ? Sqlite3.Full : Sqlite3.IoErrorWrite, "injected");
            commit();
        }
    }
}
