using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Agents;
using ChannelBridge.Core.Diagnostics;
using ChannelBridge.Core.Events;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Core.Responses;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the durable core.</summary>
public static class CoreServices
{
    /// <summary>
    /// Adds inbox, lanes, outbox and the echo agent. The caller adds a store (<see cref="IStore"/>; one that several hosts share brings
    /// <see cref="ILaneClaims"/>, too), further agents and channels, and calls <see cref="MessagingService"/> at start and stop.
    /// </summary>
    public static IServiceCollection AddChannelBridgeCore(this IServiceCollection services, Action<MessagingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = new MessagingOptions();
        configure?.Invoke(options);
        services.TryAddSingleton(options);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton<Backlogs>();
        services.TryAddSingleton<AccountNames>();
        services.TryAddSingleton<MessagingEvents>();
        services.TryAddSingleton(provider => new Outbox(
            provider.GetRequiredService<IStore>(),
            provider.GetRequiredService<Backlogs>(),
            provider.GetRequiredService<MessagingEvents>(),
            provider.GetRequiredService<MessagingOptions>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<Random>(),
            provider.GetRequiredService<ILogger<Outbox>>(),
            provider.GetService<ILaneClaims>()));
        services.TryAddSingleton<IOutbox>(provider => provider.GetRequiredService<Outbox>());
        services.TryAddSingleton<TurnRunner>();
        services.TryAddSingleton<TurnScheduler>();
        services.TryAddSingleton<Inbox>();
        services.TryAddSingleton(provider => ReleasingInbox.Wrap(
            new BoundedInbox(provider.GetRequiredService<Inbox>(), provider.GetRequiredService<TurnScheduler>().Bound),
            provider.GetRequiredService<Outbox>(),
            provider.GetRequiredService<IStore>()));
        services.TryAddSingleton<DeadLetterRetention>();
        services.TryAddSingleton<StoreJanitor>();
        services.TryAddSingleton<MessagingGauges>();
        services.TryAddSingleton(provider => new MessagingService(
            provider.GetRequiredService<IStore>(),
            provider.GetRequiredService<Backlogs>(),
            provider.GetRequiredService<Inbox>(),
            provider.GetRequiredService<TurnScheduler>(),
            provider.GetRequiredService<Outbox>(),
            provider.GetRequiredService<StoreJanitor>(),
            provider.GetRequiredService<MessagingGauges>(),
            provider.GetService<ILaneClaims>()));
        services.TryAddSingleton(provider => new EventHub(provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<IEventHub>(provider => provider.GetRequiredService<EventHub>());
        services.AddSingleton<IMethodSource>(provider => provider.GetRequiredService<EventHub>());
        services.TryAddSingleton<RouteFilter>();
        services.TryAddSingleton<ReceiptMethods>();
        services.AddSingleton<IMethodSource>(provider => provider.GetRequiredService<ReceiptMethods>());
        services.TryAddSingleton<DeadMessages>();
        services.TryAddSingleton<DeadLetterMethods>();
        services.TryAddSingleton<IDeadLetters>(provider => provider.GetRequiredService<DeadLetterMethods>());
        services.AddSingleton<IMethodSource>(provider => provider.GetRequiredService<DeadLetterMethods>());
        services.AddSingleton<IMethodSource, SendMethods>();
        services.AddSingleton<IAgent, EchoAgent>();
        services.TryAddSingleton<ResponseOptions>();
        services.TryAddSingleton<ResponseRuns>();
        services.TryAddSingleton<IResponseRuns>(provider => provider.GetRequiredService<ResponseRuns>());
        services.AddSingleton<IDiagnosticsSource, ResponsesDiagnostics>();
        services.AddSingleton<IMethodSource, ResponseMethods>();
        services.AddSingleton<IDiagnosticsSource, MessagingDiagnostics>();
        return services;
    }
}
