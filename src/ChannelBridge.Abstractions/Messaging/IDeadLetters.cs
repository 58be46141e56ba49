using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>Removes dead letters on behalf of a channel's own methods, with the same record of who did it as <c>deadLetters.discard</c>.</summary>
public interface IDeadLetters
{
    /// <summary>Removes a dead or expired message for good. Completes when that is durable.</summary>
    /// <param name="id">The message's outbox id.</param>
    /// <param name="caller">Who removes it; recorded in the same commit.</param>
    /// <param name="cancellationToken">Stops before the write.</param>
    /// <returns>False when it was gone already, or is on its way again.</returns>
    /// <exception cref="BridgeException">A store error; nothing was removed.</exception>
    ValueTask<bool> DiscardAsync(Guid id, Caller caller, CancellationToken cancellationToken = default);
}
