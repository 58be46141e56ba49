using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Agents;
using ChannelBridge.Core.Diagnostics;
using ChannelBridge.Core.Events;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Core.Net;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the durable core.</summary>
internal static class CoreServices
{
    /// <summary>
    /// Adds inbox, lanes, outbox and the echo agent. The caller adds a store (<see cref="IStore"/>; one that several hosts share brings
    /// <see cref="ILaneClaims"/>, too), further agents and channels, and calls <see cref="MessagingService"/> at start and stop.
    /// </summary>
    internal static IServiceCollection AddChannelBridgeCore(this IServiceCollection services, Action<MessagingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton<ISettingsSource>(provider => new ConfigurationSettings(provider.GetService<IConfiguration>()));
        services.AddSettingGroup(MessagingSettings.Limits, configure);
        services.TryAddSingleton(provider =>
        {
            var options = provider.GetRequiredService<IOptions<MessagingOptions>>().Value;
            ChannelDeliveries.Read(provider, options);
            return options;
        });
        services.TryAddSingleton(TimeProvider.System);
        services.AddRegistry();
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton<IGuardedHttp>(provider => new GuardedHttp(provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<IDialer, WebSocketDialer>();
        services.TryAddSingleton<IHostClaims>(provider => provider.GetService<ILaneClaims>() is { IsShared: true }
            ? new SharedHosts(provider.GetRequiredService<IStore>(), provider.GetService<AccessOptions>()?.Patience ?? TimeSpan.FromSeconds(10),
                provider.GetRequiredService<TimeProvider>())
            : new SingleHost());
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
        services.TryAddSingleton<INotifier, Notifier>();
        services.TryAddSingleton<TurnCancels>();
        services.TryAddSingleton<TurnRunner>();
        services.TryAddSingleton<TurnScheduler>();
        services.TryAddSingleton<Turns>();
        services.TryAddSingleton<ITurns>(provider => provider.GetRequiredService<Turns>());
        services.TryAddSingleton<Inbox>();
        services.TryAddSingleton<IInbox>(provider => provider.GetRequiredService<Inbox>());
        services.TryAddSingleton<DeadLetterRetention>();
        services.TryAddSingleton<StoreJanitor>();
        services.TryAddSingleton<ExpirySweep>();
        services.TryAddSingleton<MessagingGauges>();
        services.TryAddSingleton(provider => new MessagingService(
            provider.GetRequiredService<IStore>(),
            provider.GetRequiredService<Backlogs>(),
            provider.GetRequiredService<Inbox>(),
            provider.GetRequiredService<TurnScheduler>(),
            provider.GetRequiredService<Turns>(),
            provider.GetRequiredService<Outbox>(),
            provider.GetRequiredService<StoreJanitor>(),
            provider.GetRequiredService<ExpirySweep>(),
            provider.GetRequiredService<MessagingGauges>(),
            provider.GetService<ILaneClaims>()));
        services.TryAddSingleton(provider => new EventHub(provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<IEventHub>(provider => provider.GetRequiredService<EventHub>());
        services.AddContributor<EventHub>();
        services.TryAddSingleton<RouteFilter>();
        services.AddContributor<ReceiptMethods>();
        services.TryAddSingleton<DeadMessages>();
        services.AddContributor<DeadLetterMethods>();
        services.TryAddSingleton<IDeadLetters>(provider => provider.GetRequiredService<DeadLetterMethods>());
        services.TryAddSingleton<IDeliveries, Deliveries>();
        services.TryAddSingleton<IMessageImport, MessageImport>();
        services.TryAddSingleton<IRecords>(provider => provider.GetRequiredService<IStore>());
        services.TryAddSingleton<SentKeys>();
        services.AddContributor<SendMethods>();
        services.AddSingleton<IAgent, EchoAgent>();
        services.AddSettingGroup(ResponseSettings.Keys);
        services.TryAddSingleton(provider => provider.GetRequiredService<IOptions<ResponseOptions>>().Value);
        services.TryAddSingleton<ResponseRuns>();
        services.TryAddSingleton<IResponseRuns>(provider => provider.GetRequiredService<ResponseRuns>());
        services.AddContributor<ResponsesDiagnostics>();
        services.AddContributor<ResponseMethods>();
        services.AddContributor<MessagingDiagnostics>();
        return services;
    }
}
