using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the clients.</summary>
public static class ChannelBridgeClientServices
{
    /// <summary>Adds one <see cref="ChannelBridgeClient"/>; call <see cref="ChannelBridgeClient.ConnectAsync"/> before use.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="configure">Sets the options; they are validated at start.</param>
    public static IServiceCollection AddChannelBridgeClient(this IServiceCollection services, Action<ChannelBridgeClientOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<ChannelBridgeClientOptions>();
        if (configure is not null) options.Configure(configure);
        options.ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ChannelBridgeClientOptions>, ClientOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => new ChannelBridgeClient(
            provider.GetRequiredService<IOptions<ChannelBridgeClientOptions>>().Value,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetService<ILogger<ChannelBridgeClient>>()));
        return services;
    }

    /// <summary>Adds one <see cref="BncrBridgeClient"/>; call <see cref="BncrBridgeClient.StartAsync"/> before use.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="configure">Sets the options; they are validated at start.</param>
    public static IServiceCollection AddBncrBridgeClient(this IServiceCollection services, Action<BncrBridgeOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<BncrBridgeOptions>();
        if (configure is not null) options.Configure(configure);
        options.ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<BncrBridgeOptions>, BridgeOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => new BncrBridgeClient(
            provider.GetRequiredService<IOptions<BncrBridgeOptions>>().Value,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetService<ILoggerFactory>()));
        return services;
    }

    private sealed class ClientOptionsValidator : IValidateOptions<ChannelBridgeClientOptions>
    {
        public ValidateOptionsResult Validate(string? name, ChannelBridgeClientOptions options) => ToResult(options.Validate());
    }

    private sealed class BridgeOptionsValidator : IValidateOptions<BncrBridgeOptions>
    {
        public ValidateOptionsResult Validate(string? name, BncrBridgeOptions options) => ToResult(options.Validate());
    }

    private static ValidateOptionsResult ToResult(IReadOnlyList<string> problems) =>
        problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
}
