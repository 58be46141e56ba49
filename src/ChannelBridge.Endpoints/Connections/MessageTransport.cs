using ChannelBridge.Endpoints.Buffers;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>
/// Carries whole messages over one connection: a WebSocket, or a byte stream with <c>Content-Length</c> headers. One reader and one writer use it;
/// closing may be asked for from anywhere.
/// </summary>
internal abstract class MessageTransport : IAsyncDisposable
{
    private long _startedAt;
    private long _received;

    /// <summary>The largest message that is kept; larger ones are read past. May change between two messages.</summary>
    public int MaxMessageBytes { get; set; }

    /// <summary>True when binary messages are kept; else they are read past. May change between two messages.</summary>
    public bool AcceptsBinary { get; set; }

    /// <summary>Where the memory of larger messages comes from; set before the first one is received.</summary>
    public MemoryBudget Budget { get; set; } = null!;

    /// <summary>The timestamp of the first byte of the message that is arriving now, or 0.</summary>
    public long MessageStartedAt => Interlocked.Read(ref _startedAt);

    /// <summary>The bytes of it that have arrived.</summary>
    public long MessageBytes => Interlocked.Read(ref _received);

    /// <summary>
    /// Receives the next message; null when the peer has ended the connection.
    /// </summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public abstract ValueTask<IncomingMessage?> ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Sends messages in order and flushes once.</summary>
    public abstract ValueTask SendAsync(IReadOnlyList<OutgoingMessage> messages, CancellationToken cancellationToken);

    /// <summary>True when the peer ended the connection in an orderly way, where the transport can tell.</summary>
    public virtual bool ClosedByPeer => false;

    /// <summary>True when the peer has been found dead: the transport has given up, though a pending read may not know.</summary>
    public virtual bool IsDead => false;

    /// <summary>True when the transport itself has told the peer why the connection ends, and that is still on its way.</summary>
    public virtual bool SaidGoodbye => false;

    /// <summary>Says goodbye, after everything was sent. The peer's own goodbye ends <see cref="ReceiveAsync"/>.</summary>
    public abstract ValueTask CloseAsync(int code, string reason, CancellationToken cancellationToken);

    /// <summary>Ends the connection at once. Every pending operation fails.</summary>
    public abstract void Abort();

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();

    /// <summary>A message is arriving, and so much of it is here.</summary>
    protected void Progress(TimeProvider time, long received)
    {
        if (Interlocked.Read(ref _startedAt) == 0) Interlocked.Exchange(ref _startedAt, Math.Max(1, time.GetTimestamp()));
        Interlocked.Exchange(ref _received, received);
    }

    /// <summary>No message is arriving.</summary>
    protected void Idle()
    {
        if (Interlocked.Read(ref _startedAt) != 0) Interlocked.Exchange(ref _startedAt, 0);
    }
}
