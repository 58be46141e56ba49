namespace ChannelBridge.Client.Internal;

/// <summary>A message from the host; its bytes are valid until the next one is received.</summary>
/// <param name="Bytes">The whole message.</param>
/// <param name="IsBinary">True for <c>u32 header length, big endian | JSON header | bytes</c>; else it is JSON.</param>
internal readonly record struct ClientMessage(ReadOnlyMemory<byte> Bytes, bool IsBinary);

/// <summary>Carries whole messages. One reader and one writer at a time; the session sees to it.</summary>
internal interface IClientTransport : IAsyncDisposable
{
    /// <summary>Opens it.</summary>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>Sends one message and flushes it.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> message, bool isBinary, CancellationToken cancellationToken);

    /// <summary>The next message; null when the peer closed in an orderly way.</summary>
    ValueTask<ClientMessage?> ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Why the peer closed, in its own words; null when it didn't say.</summary>
    string? CloseReason { get; }

    /// <summary>Says goodbye in an orderly way, as far as that is possible.</summary>
    ValueTask CloseAsync(CancellationToken cancellationToken);
}
