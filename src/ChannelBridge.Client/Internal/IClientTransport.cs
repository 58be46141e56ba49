namespace ChannelBridge.Client.Internal;

/// <summary>Carries whole messages. One reader and one writer at a time; the session sees to it.</summary>
internal interface IClientTransport : IAsyncDisposable
{
    /// <summary>Opens it.</summary>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>Sends one message and flushes it.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken);

    /// <summary>The next message, valid until the next call; null when the peer closed in an orderly way.</summary>
    ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Why the peer closed, in its own words; null when it didn't say.</summary>
    string? CloseReason { get; }

    /// <summary>Says goodbye in an orderly way, as far as that is possible.</summary>
    ValueTask CloseAsync(CancellationToken cancellationToken);
}
