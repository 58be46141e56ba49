using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Channels.Aun;

/// <summary>Adds the Aun channel to a host.</summary>
public static class AunServices
{
    /// <summary>Adds the Aun channel, which does nothing unless it is configured.</summary>
    /// <param name="builder">The builder.</param>
    public static IChannelBridgeBuilder AddAun(this IChannelBridgeBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder;
    }
}
