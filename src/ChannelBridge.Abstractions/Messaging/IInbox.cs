using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>Takes messages for agents. What it has accepted is on disk and will be answered, crash or not.</summary>
public interface IInbox
{
    /// <summary>
    /// Accepts a message once. Completes when it is durable; then its turn is scheduled in its lane.
    /// </summary>
    /// <param name="message">The message; its session key names the lane.</param>
    /// <param name="dedupeKey">What makes it the same message: equal keys inside the window are one message.</param>
    /// <param name="dedupeWindow">How long the key is remembered, e.g. 30 days for a bridge's message id, 2 s for equal content.</param>
    /// <param name="records">
    /// State of the channel that is written in the same commit: all of it with the message, or, when the message is a duplicate, nothing.
    /// </param>
    /// <param name="cancellationToken">Stops waiting; the message may still be accepted.</param>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Busy"/> before anything is written, or a store error.</exception>
    ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message,
        UInt128 dedupeKey,
        TimeSpan dedupeWindow,
        IReadOnlyList<RecordWrite>? records = null,
        CancellationToken cancellationToken = default);
}
