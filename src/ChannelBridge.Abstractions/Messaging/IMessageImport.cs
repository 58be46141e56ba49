using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// Takes over messages that another system had queued, under the ids they had there: a client that got one before knows it again. Only while no host
/// delivers from the store.
/// </summary>
public interface IMessageImport
{
    /// <summary>Takes messages over, in order. A second import of the same message changes nothing.</summary>
    /// <returns>How many of them were known before.</returns>
    /// <exception cref="BridgeException">A store error; what was taken over before it stays.</exception>
    ValueTask<int> ImportAsync(IReadOnlyList<ImportedMessage> messages, CancellationToken cancellationToken = default);
}

/// <summary>A message of another system's queue.</summary>
/// <param name="Id">Its id there.</param>
/// <param name="Message">The message.</param>
/// <param name="CreatedAt">When it was queued there (Unix ms).</param>
/// <param name="Dead">True: it was given up there, and is a dead letter here, too.</param>
/// <param name="Attempts">With <paramref name="Dead"/>: how often it was tried.</param>
/// <param name="Error">With <paramref name="Dead"/>: why it was given up.</param>
public sealed record ImportedMessage(Guid Id, OutboundMessage Message, long CreatedAt, bool Dead = false, int Attempts = 0, string? Error = null);
