using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.OpenClaw;

/// <summary>Resolves where the gateway sends to, and holds a link to the accounts that its token is for.</summary>
internal sealed class LinkTargets(ChannelDirectory channels, LateReplies late)
{
    /// <summary>The channel and the target that a send names.</summary>
    /// <exception cref="BridgeException">The target isn't known, or the link's token isn't for its account.</exception>
    public async ValueTask<(string Channel, ChannelTarget Target)> ResolveAsync(
        EstablishedLink link, string channel, string? accountId, string to, CancellationToken cancellationToken)
    {
        if (LateReplies.TryParse(to, out var turn))
        {
            // The gateway sends under a channel of its own; whose message it is only the host knows.
            var message = await late.MessageAsync(turn, cancellationToken).ConfigureAwait(false);
            Hold(link, new LaneKey(message.Channel, message.AccountId, message.SessionKey));
            return (message.Channel, new ChannelTarget(message.AccountId, message.SessionKey, message.Route));
        }

        var target = await channels.Require(channel).ResolveTargetAsync(accountId ?? "", to, cancellationToken).ConfigureAwait(false);
        Hold(link, new LaneKey(channel, target.AccountId, target.SessionKey));
        return (channel, target);
    }

    private void Hold(EstablishedLink link, LaneKey lane)
    {
        if (!link.MayUse(channels.Find(lane.Channel), lane)) throw new BridgeException(ErrorCodes.Forbidden, "The link's token isn't for this account, channel or platform.");
    }
}
