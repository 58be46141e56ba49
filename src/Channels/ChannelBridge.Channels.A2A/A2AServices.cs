using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.A2A.Conformance;
using ChannelBridge.Channels.A2A.Http;
using ChannelBridge.Channels.A2A.Methods;
using ChannelBridge.Channels.A2A.Peers;
using ChannelBridge.Channels.A2A.Push;
using ChannelBridge.Channels.A2A.Tasks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.A2A;

/// <summary>Adds the A2A server to a host.</summary>
public static class A2AServices
{
    /// <summary>Adds the A2A channel: who holds a token with the scope <c>peer</c> may call this host's agents.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets <see cref="A2AOptions"/>; a host binds the section <see cref="A2AOptions.Section"/> besides. Faults are reported at start.</param>
    public static IChannelBridgeBuilder AddA2A(this IChannelBridgeBuilder builder, Action<A2AOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddChannelSettings(A2ASettings.All, configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton(static provider => provider.GetRequiredService<IOptions<A2AOptions>>().Value);
        services.TryAddSingleton<TaskKeys>();
        services.TryAddSingleton<TaskBook>();
        services.TryAddSingleton(static provider => new LiveTasks(
            provider.GetRequiredService<TaskBook>(),
            provider.GetRequiredService<A2AOptions>(),
            provider.GetService<ILaneClaims>() is { IsShared: true },
            provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton(static provider => new MessageMapper(provider.GetService<ISpool>(), provider.GetRequiredService<A2AOptions>()));
        services.TryAddSingleton<PushBook>();
        services.TryAddSingleton<PushSenders>();
        services.TryAddSingleton<TaskEnds>();
        services.TryAddSingleton<RateGate>();
        services.TryAddSingleton<CardMaker>();
        services.TryAddSingleton<PeerBook>();
        services.TryAddSingleton<A2AService>();
        services.TryAddSingleton<IA2AService>(static provider => provider.GetRequiredService<A2AService>());
        services.TryAddSingleton<A2AEndpoints>();
        services.AddContributor<A2AChannel>();
        services.AddContributor<OperatorMethods>();
        return builder;
    }

    /// <summary>Adds the agent <c>conformance</c>, which the protocol's public tests talk to. For nobody else.</summary>
    public static IChannelBridgeBuilder AddA2AConformance(this IChannelBridgeBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IAgent, ConformanceAgent>());
        return builder;
    }
}
