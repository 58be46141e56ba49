using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Channels;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>Turns the parameter <c>route</c> of lists and selections, a conversation as people write it, into the lane's session key.</summary>
internal sealed class RouteFilter(IRegistry registry)
{
    /// <summary>Whether a caller's token covers a lane: its channel, its account, and the platform that its channel says it is of.</summary>
    public bool MaySee(Caller caller, LaneKey lane) =>
        caller.MayUseAccount(lane.Account)
        && caller.MayUseChannel(lane.Channel)
        && (caller.Platforms is null
            || caller.MayUsePlatform(registry.Current.Of<IChannel>().FirstOrDefault(channel => channel.Id == lane.Channel)?.PlatformOf(lane.SessionKey) ?? lane.Channel));

    /// <summary>The session key to filter by, or null for all lanes.</summary>
    /// <exception cref="BridgeException">Both are given, or the channel doesn't know the conversation.</exception>
    public async ValueTask<string?> ResolveAsync(
        string method, string? sessionKey, string? route, string? channel, string? accountId, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(route)) return sessionKey;
        if (sessionKey is not null) throw BridgeException.Invalid($"{method}: params.sessionKey and params.route mean the same; give one of them.");
        var channels = registry.Current.Of<IChannel>();
        if (ChannelChoice.Find(channels, channel) is not { } wanted)
        {
            throw BridgeException.Invalid(
                $"{method}: params.route needs params.channel, one of {string.Join(", ", channels.Select(candidate => candidate.Id))}.");
        }

        return (await wanted.ResolveTargetAsync(accountId ?? "", route, cancellationToken).ConfigureAwait(false)).SessionKey;
    }
}
