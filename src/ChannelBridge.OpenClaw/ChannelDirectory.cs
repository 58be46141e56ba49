using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// The channels by id. Asked for late: a channel needs the inbox, the inbox its agents, and the agent of the link needs the channels again.
/// </summary>
internal sealed class ChannelDirectory(IServiceProvider services)
{
    private readonly Lazy<IReadOnlyList<IChannel>> _all = new(() => [.. services.GetServices<IChannel>()]);

    public IReadOnlyList<IChannel> All => _all.Value;

    /// <summary>The channel.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.NotFound"/>: this host doesn't have it.</exception>
    public IChannel Require(string id)
    {
        foreach (var channel in All)
        {
            if (string.Equals(channel.Id, id, StringComparison.OrdinalIgnoreCase)) return channel;
        }

        throw new BridgeException(ErrorCodes.NotFound, $"This host has no channel '{id}'.");
    }
}
