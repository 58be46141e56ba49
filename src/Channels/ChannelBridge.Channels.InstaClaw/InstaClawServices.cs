using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.InstaClaw.Connection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>Adds the InstaClaw channel to a host.</summary>
public static class InstaClawServices
{
    /// <summary>Adds the InstaClaw channel, which does nothing unless it is configured. It needs an <see cref="IStore"/> and, to answer, <see cref="IResponseRuns"/>.</summary>
    /// <param name="services">The container.</param>
    /// <param name="configure">Sets <see cref="InstaClawOptions"/>; a host binds the section <see cref="InstaClawOptions.Section"/> besides. Faults are reported at start.</param>
    public static IServiceCollection AddInstaClawChannel(this IServiceCollection services, Action<InstaClawOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<InstaClawOptions>();
        if (configure is not null) options.Configure(configure);
        options.ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<InstaClawOptions>, InstaClawOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton(provider => new InstaClawChannel(
            provider.GetRequiredService<IOptions<InstaClawOptions>>(),
            new WebSocketDialer(provider.GetRequiredService<IOptions<InstaClawOptions>>().Value.MaxMessageBytes),
            provider.GetRequiredService<IStore>(),
            provider.GetService<IResponseRuns>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<Random>(),
            provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<IChannel>(provider => provider.GetRequiredService<InstaClawChannel>());
        services.AddSingleton<IMethodSource>(provider => provider.GetRequiredService<InstaClawChannel>());
        services.AddSingleton<IToolSource>(provider => provider.GetRequiredService<InstaClawChannel>());
        services.AddSingleton<IDiagnosticsSource>(provider => provider.GetRequiredService<InstaClawChannel>());
        return services;
    }
}
