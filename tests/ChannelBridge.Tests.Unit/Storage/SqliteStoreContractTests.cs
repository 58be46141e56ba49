using ChannelBridge.Core.Storage;
using ChannelBridge.Storage.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>The contract on SQLite, with so little memory that lanes are looked up and dedupe keys move to the file all the time.</summary>
public sealed class SqliteStoreContractTests : StoreContractTests
{
    private readonly TempFolder _folder = new();

    protected override IStore Create() =>
        new SqliteStore(new SqliteStoreOptions { Path = _folder.File("store.db"), LaneCacheSize = 3, RecentKeys = 7 }, NullLogger<SqliteStore>.Instance, Time);

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Remove();
    }
}
