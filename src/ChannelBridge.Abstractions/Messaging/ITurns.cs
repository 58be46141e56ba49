using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>Ends turns that nobody wants any more.</summary>
public interface ITurns
{
    /// <summary>
    /// Cancels the turn of a message, whether it waits or runs, on whatever host. When this completes the wish is durable: the turn ends soon, also where
    /// its host has crashed meanwhile. What came of it, <see cref="ITurnEnding"/> says in the commit that ends it: an answer that was whole in the same
    /// moment stays one.
    /// </summary>
    /// <param name="inboxId">The message, by the id of its <see cref="InboxReceipt"/>.</param>
    /// <param name="cancellationToken">Gives up before the wish is written.</param>
    /// <returns>False: there is nothing to cancel; the turn is over, or the message isn't known.</returns>
    /// <exception cref="BridgeException">A store error; nothing was changed.</exception>
    ValueTask<bool> CancelAsync(Guid inboxId, CancellationToken cancellationToken = default);
}
