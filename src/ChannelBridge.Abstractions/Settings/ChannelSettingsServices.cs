using ChannelBridge.Abstractions.Settings;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Hands a channel's settings over to a host.</summary>
public static class ChannelSettingsServices
{
    /// <summary>
    /// Hands over a channel's settings: the host checks them before its start together with all others, documents them, and makes
    /// <c>IOptions&lt;TOptions&gt;</c> of them. A host of one's own reads them from its <c>IConfiguration</c>.
    /// </summary>
    /// <param name="services">The container.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="configure">Changes what was read, before it is checked.</param>
    public static IServiceCollection AddChannelSettings<TOptions>(
        this IServiceCollection services, ChannelSettings<TOptions> settings, Action<TOptions>? configure = null)
        where TOptions : class, new()
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(settings);
        if (services.Any(service => ReferenceEquals(service.ImplementationInstance, settings)))
        {
            if (configure is not null) services.Configure(configure);
            return services;
        }

        services.AddSingleton<ChannelSettings>(settings);
        SettingsBinding<TOptions>.AddTo(services, source => new AliasedSettings(source, settings), (reader, options) =>
        {
            settings.Apply(reader, options);
            settings.ReadDelivery(reader);
        });
        foreach (var check in settings.Checks) services.AddSingleton(check);
        if (configure is not null) services.Configure(configure);
        return services;
    }
}
