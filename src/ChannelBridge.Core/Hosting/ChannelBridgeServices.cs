using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Transfers;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts a ChannelBridge host into a container.</summary>
public static class ChannelBridgeServices
{
    /// <summary>
    /// Adds the durable core and the service that starts and stops it with the host: store, channels, messages, doors, and back. The builder takes a store and
    /// channels; the echo agent is there from the start.
    /// </summary>
    /// <param name="services">The container of a host (<c>Host.CreateApplicationBuilder</c>, <c>WebApplication.CreateBuilder</c>).</param>
    /// <param name="configure">Sets the bounds and times of inbox, turns and outbox; the keys <c>Limits:*</c> are read before it.</param>
    /// <exception cref="InvalidOperationException">It was called before on this container.</exception>
    public static IChannelBridgeBuilder AddChannelBridge(this IServiceCollection services, Action<MessagingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(service => service.ServiceType == typeof(BridgeLifetime)))
        {
            throw new InvalidOperationException("AddChannelBridge was called twice on this container; call it once, and use the builder that it returns.");
        }

        services.AddChannelBridgeCore(configure);
        services.TryAddSingleton<ChannelStarts>();
        services.TryAddSingleton(Compose);
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<BridgeLifetime>());
        return new Builder(services);
    }

    /// <summary>Adds a channel; the host makes it once, starts it, offers its methods, tools and endpoints, and stops it.</summary>
    public static IChannelBridgeBuilder AddChannel<TChannel>(this IChannelBridgeBuilder builder)
        where TChannel : class, IChannel
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddContributor<TChannel>();
        return builder;
    }

    /// <summary>Adds a channel that is made by a factory.</summary>
    public static IChannelBridgeBuilder AddChannel<TChannel>(this IChannelBridgeBuilder builder, Func<IServiceProvider, TChannel> factory)
        where TChannel : class, IChannel
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddSingleton(factory);
        return builder.AddChannel<TChannel>();
    }

    /// <summary>Adds a channel with its settings: they are checked before the start, and the channel asks for <c>IOptions&lt;TOptions&gt;</c>.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="settings">The channel's settings, read from the host's <c>IConfiguration</c>.</param>
    /// <param name="configure">Changes what was read, before it is checked.</param>
    public static IChannelBridgeBuilder AddChannel<TChannel, TOptions>(
        this IChannelBridgeBuilder builder, ChannelSettings<TOptions> settings, Action<TOptions>? configure = null)
        where TChannel : class, IChannel
        where TOptions : class, new()
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddChannelSettings(settings, configure);
        return builder.AddChannel<TChannel>();
    }

    /// <summary>Adds an agent, by its type.</summary>
    public static IChannelBridgeBuilder AddAgent<TAgent>(this IChannelBridgeBuilder builder)
        where TAgent : class, IAgent
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton<IAgent, TAgent>();
        return builder;
    }

    /// <summary>Adds an agent.</summary>
    public static IChannelBridgeBuilder AddAgent(this IChannelBridgeBuilder builder, IAgent agent)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton(agent);
        return builder;
    }

    /// <summary>Adds the spool: files that come with messages, in both directions.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets the folder and the limits; the keys <c>Store:Files:*</c> are read before it.</param>
    public static IChannelBridgeBuilder AddTransfers(this IChannelBridgeBuilder builder, Action<TransferOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddChannelBridgeTransfers(configure);
        return builder;
    }

    private static BridgeLifetime Compose(IServiceProvider provider)
    {
        CheckSettings(provider);

        // Asked for first: without it nothing else can be made, and the reason would be hard to see.
        var store = provider.GetService<IStore>()
            ?? throw new InvalidOperationException("No store is registered: call UseSqlite(…) or UsePostgres(…) on the builder that AddChannelBridge returns.");
        var isService = provider.GetService<IServiceProviderIsService>();
        if (isService?.IsService(typeof(IDoors)) is true) AccessServices.RequireTokens(provider);
        return new BridgeLifetime(
            provider.GetRequiredService<IRegistry>(),
            provider.GetServices<IContributor>(),
            store,
            provider.GetRequiredService<MessagingService>(),
            provider.GetRequiredService<MessagingOptions>(),
            provider.GetRequiredService<ResponseRuns>(),
            provider.GetRequiredService<ChannelStarts>(),
            provider.GetRequiredService<ILogger<BridgeLifetime>>(),
            provider.GetService<TransferService>(),
            provider.GetService<IDoors>(),
            provider.GetService<StoredTokens>(),
            provider.GetService<AccessAudit>(),
            provider.GetService<LiveDevices>());
    }

    /// <summary>Checks every part's settings before the first part is made, which would name its own problems only.</summary>
    private static void CheckSettings(IServiceProvider provider)
    {
        try
        {
            provider.GetService<IStartupValidator>()?.Validate();
        }
        catch (AggregateException faults)
        {
            var failures = faults.InnerExceptions.OfType<OptionsValidationException>().SelectMany(fault => fault.Failures).ToList();
            if (failures.Count == 0) throw;
            throw new OptionsValidationException(Options.Options.DefaultName, typeof(ChannelSettings), failures);
        }
    }

    private sealed class Builder(IServiceCollection services) : IChannelBridgeBuilder
    {
        public IServiceCollection Services => services;
    }
}
