using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Channels.MultiClaws;

/// <summary>Adds the MultiClaws channel to a host.</summary>
public static class MultiClawsServices
{
    /// <summary>Adds the MultiClaws channel, which does nothing unless it is configured.</summary>
    /// <param name="builder">The builder.</param>
    public static IChannelBridgeBuilder AddMultiClaws(this IChannelBridgeBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder;
    }
}
