using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>
/// End-to-end encryption of one identity whose key the host holds: an agent of the endpoint, or an account of the connector. Safe for use by many at once.
/// </summary>
internal interface ISealer
{
    /// <summary>The identity.</summary>
    string Aid { get; }

    /// <summary>The device under which its prekeys are published.</summary>
    string DeviceId { get; }

    /// <summary>The newest prekey, which is to be published; made anew when it is an hour old. Its private half is on disk before this completes.</summary>
    /// <exception cref="Abstractions.Errors.BridgeException">A store error.</exception>
    ValueTask<DevicePrekey> PrekeyAsync(CancellationToken cancellationToken);

    /// <summary>Opens a message that came sealed.</summary>
    /// <returns>What it says, with what must be written in the commit that accepts it: without it a replay wouldn't be known after a restart.</returns>
    /// <exception cref="SealingException">It is refused; the reason is counted and may be told, nothing of the content is.</exception>
    /// <exception cref="Abstractions.Errors.BridgeException">A store error, or the sender's certificate can't be had now: try again.</exception>
    ValueTask<OpenedMessage> OpenAsync(SealedMessage message, CancellationToken cancellationToken);

    /// <summary>Seals a payload for every device of a receiver, and for the sender's own other devices.</summary>
    /// <param name="to">The receiver.</param>
    /// <param name="messageId">The message's id; it is part of what is signed.</param>
    /// <param name="payload">One JSON object, UTF-8.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SealingException">It can't be sealed; it isn't sent as plain text instead.</exception>
    /// <exception cref="Abstractions.Errors.BridgeException">What is needed for it can't be had now: try again.</exception>
    ValueTask<SealedSend> SealAsync(string to, string messageId, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken);

    /// <summary>How often each thing happened, for diagnostics.</summary>
    SealingCounts Counts { get; }
}

/// <summary>A message whose payload is an envelope.</summary>
/// <param name="From">The sender as the gateway tells it.</param>
/// <param name="To">The receiver as the gateway tells it.</param>
/// <param name="MessageId">The message's id.</param>
/// <param name="Payload">The envelope.</param>
/// <param name="Pushed">True: it comes as it is sent, so its time must be near; one that was pulled may be old.</param>
internal readonly record struct SealedMessage(string From, string To, string MessageId, JsonElement Payload, bool Pushed);

/// <summary>A message that was opened.</summary>
/// <param name="Payload">One JSON object, UTF-8.</param>
/// <param name="Records">What must be written in the commit that accepts it.</param>
internal sealed record OpenedMessage(ReadOnlyMemory<byte> Payload, IReadOnlyList<RecordWrite> Records);

/// <summary>What <c>message.send</c> takes for a sealed message, with <c>encrypted: true</c>.</summary>
/// <param name="Type"><c>e2ee.encrypted</c>, or <c>e2ee.multi_device</c>.</param>
/// <param name="Payload">One JSON object, UTF-8.</param>
/// <param name="Timestamp">Its time (Unix ms), which is part of what is signed.</param>
internal sealed record SealedSend(string Type, ReadOnlyMemory<byte> Payload, long Timestamp);
