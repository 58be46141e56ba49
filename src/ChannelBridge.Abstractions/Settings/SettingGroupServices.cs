using ChannelBridge.Abstractions.Settings;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Reads a part's settings into its options, whoever's host it runs in.</summary>
public static class SettingGroupServices
{
    /// <summary>
    /// Makes <c>IOptions&lt;TOptions&gt;</c> of the keys of a group: they are read from the host's settings (in a host of one's own its
    /// <c>IConfiguration</c>), then <paramref name="configure"/> goes over them, and what doesn't fit stops the start with every problem named.
    /// </summary>
    /// <param name="services">The container.</param>
    /// <param name="keys">The keys; added once, however often this is called.</param>
    /// <param name="configure">Changes what was read; code goes before settings.</param>
    public static IServiceCollection AddSettingGroup<TOptions>(this IServiceCollection services, SettingGroup<TOptions> keys, Action<TOptions>? configure = null)
        where TOptions : class, new()
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(keys);
        if (!services.Any(service => ReferenceEquals(service.ImplementationInstance, keys)))
        {
            services.AddSingleton(keys);
            services.TryAddSingleton(provider => new Binding<TOptions>(keys, provider));
            services.AddSingleton<IConfigureOptions<TOptions>>(provider => provider.GetRequiredService<Binding<TOptions>>());
            services.AddSingleton<IValidateOptions<TOptions>>(provider => provider.GetRequiredService<Binding<TOptions>>());
            services.AddOptions<TOptions>().ValidateOnStart();
        }

        if (configure is not null) services.Configure(configure);
        return services;
    }

    /// <summary>Reads the keys, and tells at the check what was wrong.</summary>
    private sealed class Binding<TOptions>(SettingGroup<TOptions> keys, IServiceProvider provider) : IConfigureOptions<TOptions>, IValidateOptions<TOptions>
        where TOptions : class, new()
    {
        private IReadOnlyList<string> _problems = [];

        public void Configure(TOptions options)
        {
            if (provider.GetService<ISettingsSource>() is not { } source) return;
            var reader = new SettingsReader(source, provider.GetService<HostFacts>());
            keys.Apply(reader, options);
            _problems = reader.Problems;
        }

        public ValidateOptionsResult Validate(string? name, TOptions options) =>
            _problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(_problems);
    }
}
