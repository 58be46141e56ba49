using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>The contract on PostgreSQL.</summary>
[NeedsServer(PostgresServer.Variable)]
public sealed class PostgresStoreContractTests : StoreContractTests
{
    private readonly string _schema = $"t{Guid.NewGuid():N}";

    protected override IStore Create() => new PostgresStore(
        new PostgresStoreOptions { ConnectionString = PostgresServer.Require(), Schema = _schema, LaneCacheSize = 3 },
        NullLogger<PostgresStore>.Instance,
        Time);

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        if (Store is null) return;
        await PostgresServer.ExecuteAsync($"DROP SCHEMA IF EXISTS {_schema} CASCADE");
    }
}
