using ChannelBridge.Abstractions.Settings;
using Microsoft.Extensions.Options;

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
        services.AddSingleton(provider => new Binding<TOptions>(settings, provider));
        services.AddSingleton<IConfigureOptions<TOptions>>(provider => provider.GetRequiredService<Binding<TOptions>>());
        services.AddSingleton<IValidateOptions<TOptions>>(provider => provider.GetRequiredService<Binding<TOptions>>());
        foreach (var check in settings.Checks) services.AddSingleton(check);
        var options = services.AddOptions<TOptions>();
        if (configure is not null) options.Configure(configure);
        options.ValidateOnStart();
        return services;
    }

    /// <summary>Reads the settings into the options, and tells with the checks what was wrong.</summary>
    private sealed class Binding<TOptions>(ChannelSettings<TOptions> settings, IServiceProvider provider)
        : IConfigureOptions<TOptions>, IValidateOptions<TOptions>
        where TOptions : class, new()
    {
        private IReadOnlyList<string> _problems = [];

        public void Configure(TOptions options)
        {
            var source = new AliasedSettings(provider.GetService<ISettingsSource>(), settings);
            var reader = new SettingsReader(source, provider.GetService<HostFacts>());
            settings.Apply(reader, options);
            settings.ReadDelivery(reader);
            _problems = reader.Problems;
        }

        public ValidateOptionsResult Validate(string? name, TOptions options) =>
            _problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(_problems);
    }
}
