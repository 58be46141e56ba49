using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Core.Messaging;

/// <summary>The channels of now by id.</summary>
internal static class RegistryChannels
{
    /// <summary>The channel.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.NotFound"/>: this host doesn't have it.</exception>
    public static IChannel RequireChannel(this IRegistry registry, string id) =>
        registry.FindChannel(id) ?? throw new BridgeException(ErrorCodes.NotFound, $"This host has no channel '{id}'.");

    /// <summary>The channel, or null.</summary>
    public static IChannel? FindChannel(this IRegistry registry, string id)
    {
        foreach (var channel in registry.Current.Of<IChannel>())
        {
            if (string.Equals(channel.Id, id, StringComparison.OrdinalIgnoreCase)) return channel;
        }

        return null;
    }
}
