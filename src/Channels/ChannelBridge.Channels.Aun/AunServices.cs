using ChannelBridge.Abstractions.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ChannelBridge.Channels.Aun;

/// <summary>Adds the Aun channel to a host.</summary>
public static partial class AunServices
{
    /// <summary>Adds the Aun channel, which does nothing unless it is configured.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Changes what the section <see cref="AunOptions.Section"/> of the host's configuration says. Faults stop the start.</param>
    public static IChannelBridgeBuilder AddAun(this IChannelBridgeBuilder builder, Action<AunOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddChannelSettings(AunSettings.All, configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        AddConnector(services);
        services.AddContributor<AunChannel>();
        return builder;
    }

    // Sealing and the connector add their parts here: ISealer, and an IAunPart.
    static partial void AddConnector(IServiceCollection services);
}
