using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Packages;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds plugins to a host.</summary>
public static class PluginServicesExtensions
{
    /// <summary>
    /// Runs the plugins that are installed below the data folder, each as a process of its own, and offers <c>plugins.*</c> to operators.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="options">Where they are.</param>
    public static IChannelBridgeBuilder AddPlugins(this IChannelBridgeBuilder builder, PluginHostOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton(new PluginStore(options.DataFolder));
        services.AddSingleton(provider => new PluginRoom(
            provider.GetRequiredService<IRegistry>(),
            new PluginServices(
                provider.GetRequiredService<IInbox>(),
                provider.GetRequiredService<IOutbox>(),
                provider.GetRequiredService<IRecords>(),
                provider.GetRequiredService<IEventHub>(),
                provider.GetRequiredService<ILoggerFactory>().CreateLogger("ChannelBridge.Plugins"),
                provider.GetRequiredService<TimeProvider>(),
                provider.GetService<ISpool>(),
                provider.GetService<IResponseRuns>()),
            options.Times));
        services.AddSingleton<PluginHost>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<PluginHost>());
        services.AddContributor<PluginMethods>();
        return builder;
    }
}
