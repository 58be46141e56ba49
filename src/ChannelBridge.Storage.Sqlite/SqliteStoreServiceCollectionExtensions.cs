using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the SQLite store.</summary>
public static class SqliteStoreServiceCollectionExtensions
{
    /// <summary>Messages are kept in a SQLite file: the store of one host.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets the options, at least <see cref="SqliteStoreOptions.Path"/>; the keys <c>Store:*</c> are read before it.</param>
    public static IChannelBridgeBuilder UseSqlite(this IChannelBridgeBuilder builder, Action<SqliteStoreOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSqliteStore(configure);
        return builder;
    }

    /// <summary>Registers the SQLite store as <see cref="IStore"/>, unless a store is registered already. Whoever hosts it opens and disposes it.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options, at least <see cref="SqliteStoreOptions.Path"/>.</param>
    public static IServiceCollection AddSqliteStore(this IServiceCollection services, Action<SqliteStoreOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddSettingGroup(SqliteSettings.Keys, configure);
        services.TryAddSingleton<IStore>(provider => new SqliteStore(
            provider.GetRequiredService<IOptions<SqliteStoreOptions>>().Value,
            provider.GetRequiredService<ILogger<SqliteStore>>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
