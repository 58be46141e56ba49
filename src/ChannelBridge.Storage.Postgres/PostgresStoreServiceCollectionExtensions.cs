using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres;
using ChannelBridge.Storage.Postgres.Claims;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the PostgreSQL store.</summary>
public static class PostgresStoreServiceCollectionExtensions
{
    /// <summary>Messages are kept in a PostgreSQL database, which several hosts may share.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets the options, at least <see cref="PostgresStoreOptions.ConnectionString"/>; the keys <c>Store:*</c> are read before it.</param>
    public static IChannelBridgeBuilder UsePostgres(this IChannelBridgeBuilder builder, Action<PostgresStoreOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddPostgresStore(configure);
        return builder;
    }

    /// <summary>
    /// Registers the PostgreSQL store as <see cref="IStore"/>, with the <see cref="ILaneClaims"/> by which hosts share it, unless a store is
    /// registered already. Whoever hosts it opens and disposes it.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options, at least <see cref="PostgresStoreOptions.ConnectionString"/>.</param>
    public static IServiceCollection AddPostgresStore(this IServiceCollection services, Action<PostgresStoreOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddSettingGroup(PostgresSettings.Keys, configure);
        if (services.Any(service => service.ServiceType == typeof(IStore))) return services;
        services.TryAddSingleton<ILaneClaims>(provider => new PostgresClaims(
            (PostgresStore)provider.GetRequiredService<IStore>(),
            provider.GetRequiredService<IOptions<PostgresStoreOptions>>().Value,
            provider.GetRequiredService<ILogger<PostgresClaims>>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System));
        services.TryAddSingleton<IStore>(provider => new PostgresStore(
            provider.GetRequiredService<IOptions<PostgresStoreOptions>>().Value,
            provider.GetRequiredService<ILogger<PostgresStore>>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
