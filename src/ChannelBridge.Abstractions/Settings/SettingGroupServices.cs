using ChannelBridge.Abstractions.Settings;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Reads a part's settings into its options, whoever's host it runs in.</summary>
public static class SettingGroupServices
{
    /// <summary>
    /// Makes <c>IOptions&lt;TOptions&gt;</c> of the keys of a group: they are read from the host's settings (in a host of one's own its
    /// <c>IConfiguration</c>), then <paramref name="configure"/> goes over them. A value that doesn't fit stops the start, with every problem named.
    /// </summary>
    /// <param name="services">The container.</param>
    /// <param name="keys">The keys; added once, however often this is called.</param>
    /// <param name="configure">Changes what was read, before it is checked.</param>
    public static IServiceCollection AddSettingGroup<TOptions>(this IServiceCollection services, SettingGroup<TOptions> keys, Action<TOptions>? configure = null)
        where TOptions : class, new()
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(keys);
        if (!services.Any(service => ReferenceEquals(service.ImplementationInstance, keys)))
        {
            services.AddSingleton(keys);
            SettingsBinding<TOptions>.AddTo(services, static source => source, (reader, options) => keys.Apply(reader, options));
        }

        if (configure is not null) services.Configure(configure);
        return services;
    }
}
