using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>What a client said about a pushed message.</summary>
/// <param name="Id">The outbox id.</param>
/// <param name="Channel">The channel of the acking client.</param>
/// <param name="AccountId">The account of the acking client; it must be the message's own.</param>
/// <param name="Ok">True: the client has it. False: it couldn't take it.</param>
/// <param name="Fatal">With <paramref name="Ok"/> false: trying again is pointless.</param>
/// <param name="Delivered">The platform has it, too.</param>
/// <param name="Error">The client's reason, or null; kept with the entry, cut to 500 characters.</param>
/// <param name="RetryAfter">When to try again, if the client says so.</param>
public readonly record struct Ack(
    Guid Id, string Channel, string AccountId, bool Ok, bool Fatal = false, bool Delivered = false, string? Error = null, TimeSpan? RetryAfter = null);

/// <summary>What an ack did.</summary>
public enum AckResult
{
    /// <summary>The message is confirmed, durably.</summary>
    Acked,

    /// <summary>It will be pushed again.</summary>
    WillRetry,

    /// <summary>It is held until the user writes again, by the account's policy; that costs no attempt.</summary>
    Held,

    /// <summary>It is a dead letter now.</summary>
    MovedToDeadLetter,

    /// <summary>It was confirmed before, or no such message exists.</summary>
    AlreadyAckedOrMissing,

    /// <summary>The message belongs to another account; nothing was changed.</summary>
    AccountMismatch,
}

/// <summary>Messages that an account still has to get, and those given up.</summary>
/// <param name="Pending">Not yet settled.</param>
/// <param name="DeadLetter">Given up and kept.</param>
public readonly record struct Backlog(long Pending, long DeadLetter);

/// <summary>Takes messages for bridges, keeps them in order per lane, and pushes them until their receipt is final.</summary>
public interface IOutbox
{
    /// <summary>Accepts a message once. Completes when it is durable.</summary>
    /// <param name="message">The message; its session key names the lane.</param>
    /// <param name="idempotencyKey">Stable for the message whatever happens; the same key again is a duplicate. At most 512 characters.</param>
    /// <param name="records">
    /// State of the channel that is written in the same commit: all of it with the message, or, when the message is a duplicate, nothing.
    /// </param>
    /// <param name="cancellationToken">Stops waiting; the message may still be accepted.</param>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Busy"/> before anything is written, or a store error.</exception>
    ValueTask<OutboxReceipt> SendAsync(
        OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Accepts messages to several accounts once, in one commit: all that are taken, or none. Completes when they are durable. For what many are told at once,
    /// some dozen messages a time: a commit for each, and ids all over the store's index, would cost more than the messages. (A plugin's are a commit each.)
    /// </summary>
    /// <param name="messages">The messages, of one channel, each to another account.</param>
    /// <param name="idempotencyKey">Of all of them, each with its account; not for <see cref="SendAsync"/>, too. At most 512 characters.</param>
    /// <param name="cancellationToken">Stops waiting; the messages may still be accepted.</param>
    /// <returns>The messages that were not taken, because their accounts' outboxes are full.</returns>
    async ValueTask<IReadOnlyList<OutboundMessage>> SendAllAsync(
        IReadOnlyList<OutboundMessage> messages, string idempotencyKey, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var refused = new List<OutboundMessage>();
        foreach (var message in messages)
        {
            try
            {
                await SendAsync(message, idempotencyKey, cancellationToken: cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault) when (fault.Code == ErrorCodes.Busy)
            {
                refused.Add(message);
            }
        }

        return refused;
    }

    /// <summary>Takes a client's word about a message. Completes when the consequence is durable.</summary>
    /// <param name="ack">The word.</param>
    /// <param name="records">
    /// State of the channel that is written in the same commit as the consequence; nothing of it when the ack changes nothing that is stored: what was
    /// acked before, isn't known, or is another account's.
    /// </param>
    /// <param name="cancellationToken">Stops waiting; the ack may still be taken.</param>
    ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Tells that an account can be reached through this target: its unsettled messages are pushed, in order per lane. A new target replaces
    /// the old one at once: what the old one was given without an ack is pushed again to the new one. The same target again only wakes the flush.
    /// </summary>
    void Attach(string channel, string accountId, IPushTarget target);

    /// <summary>Tells that this target is gone. A target that was replaced meanwhile is ignored.</summary>
    void Detach(string channel, string accountId, IPushTarget target);

    /// <summary>The account's backlog, from memory.</summary>
    Backlog GetBacklog(string channel, string accountId);
}
