using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>Reads settings into the options of a part, and tells with the checks what was wrong.</summary>
/// <param name="provider">Where the host's settings and facts come from.</param>
/// <param name="view">How the part sees the host's settings, which may be none; null: it reads nothing.</param>
/// <param name="read">Reads.</param>
internal sealed class SettingsBinding<TOptions>(
    IServiceProvider provider, Func<ISettingsSource?, ISettingsSource?> view, Action<SettingsReader, TOptions> read) : IConfigureOptions<TOptions>, IValidateOptions<TOptions>
    where TOptions : class, new()
{
    private IReadOnlyList<string> _problems = [];

    /// <summary>Adds it to a container: it is read before anything else is done with the options, and checked before the start.</summary>
    public static void AddTo(IServiceCollection services, Func<ISettingsSource?, ISettingsSource?> view, Action<SettingsReader, TOptions> read)
    {
        services.AddSingleton(provider => new SettingsBinding<TOptions>(provider, view, read));
        services.AddSingleton<IConfigureOptions<TOptions>>(provider => provider.GetRequiredService<SettingsBinding<TOptions>>());
        services.AddSingleton<IValidateOptions<TOptions>>(provider => provider.GetRequiredService<SettingsBinding<TOptions>>());
        services.AddOptions<TOptions>().ValidateOnStart();
    }

    public void Configure(TOptions options)
    {
        if (view(provider.GetService<ISettingsSource>()) is not { } source) return;
        var reader = new SettingsReader(source, provider.GetService<HostFacts>());
        read(reader, options);
        _problems = reader.Problems;
    }

    public ValidateOptionsResult Validate(string? name, TOptions options) =>
        _problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(_problems);
}
