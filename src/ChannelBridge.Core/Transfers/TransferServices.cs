using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Net;
using ChannelBridge.Core.Transfers;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers file transfers.</summary>
internal static class TransferServices
{
    /// <summary>Adds the spool and transfers into it. The caller calls <see cref="TransferService"/> at start and stop.</summary>
    /// <param name="services">The container.</param>
    /// <param name="configure">Sets the folder and the limits; the keys <c>Store:Files:*</c> are read before it.</param>
    internal static IServiceCollection AddChannelBridgeTransfers(this IServiceCollection services, Action<TransferOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddSettingGroup(TransferSettings.Keys, configure);
        services.TryAddSingleton(provider => provider.GetRequiredService<IOptions<TransferOptions>>().Value);
        services.TryAddSingleton<TransferQuota>();
        services.TryAddSingleton(provider => new TransferEvents(provider.GetService<IEventHub>(), provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<Spool>();
        services.TryAddSingleton<ISpool>(provider => provider.GetRequiredService<Spool>());
        services.TryAddSingleton(provider => new Uploads(
            provider.GetRequiredService<IStore>(),
            provider.GetRequiredService<Spool>(),
            provider.GetRequiredService<TransferQuota>(),
            provider.GetRequiredService<TransferEvents>(),
            provider.GetRequiredService<TransferOptions>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<Uploads>>()));
        services.TryAddSingleton<ITransfers>(provider => provider.GetRequiredService<Uploads>());
        services.TryAddSingleton(provider => new Downloads(
            provider.GetRequiredService<IStore>(),
            provider.GetRequiredService<ISpool>(),
            provider.GetRequiredService<TransferEvents>(),
            new DownloadOptions(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<Downloads>>()));
        services.TryAddSingleton<IFileSender>(provider => provider.GetRequiredService<Downloads>());
        services.TryAddSingleton<IMediaSource>(provider => new MediaSource(
            provider.GetRequiredService<ISpool>(), provider.GetRequiredService<TransferOptions>(), new PublicHttp(TimeSpan.FromSeconds(60))));
        services.TryAddSingleton(provider => new TurnFiles(
            provider.GetRequiredService<ISpool>(),
            provider.GetRequiredService<IMediaSource>(),
            provider.GetRequiredService<TransferOptions>().AgentInlineBytes,
            provider.GetRequiredService<ILogger<TurnFiles>>()));
        services.TryAddSingleton<TransferSweeper>();
        services.TryAddSingleton(provider => new TransferService(provider.GetRequiredService<Uploads>(), provider.GetRequiredService<TransferSweeper>()));
        services.AddContributor<TransferDiagnostics>();
        return services;
    }
}
