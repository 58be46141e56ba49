using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.OpenClaw;

/// <summary>The channels by id.</summary>
internal sealed class ChannelDirectory(IRegistry registry)
{
    public IReadOnlyList<IChannel> All => registry.Current.Of<IChannel>();

    /// <summary>The channel.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.NotFound"/>: this host doesn't have it.</exception>
    public IChannel Require(string id) => registry.RequireChannel(id);

    /// <summary>The channel, or null.</summary>
    public IChannel? Find(string id) => registry.FindChannel(id);

    /// <summary>The id under which the gateway knows a channel of this host.</summary>
    public string GatewayIdOf(string id) => Find(id)?.GatewayId ?? id;

    /// <summary>A lane's key as the gateway's sessions are named after it: with the gateway's id of its channel in front.</summary>
    public string GatewayKeyOf(string channel, string laneKey)
    {
        var known = GatewayIdOf(channel);
        return known != channel && laneKey.StartsWith($"{channel}:", StringComparison.Ordinal) ? known + laneKey[channel.Length..] : laneKey;
    }
}
