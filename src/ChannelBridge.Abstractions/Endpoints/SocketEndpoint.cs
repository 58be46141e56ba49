namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>One WebSocket endpoint of a channel.</summary>
public sealed record SocketEndpoint
{
    /// <summary>The path's template, as in <see cref="HttpEndpoint.Path"/>.</summary>
    public required string Path { get; init; }

    /// <summary>The subprotocols that are spoken here, the best one first; empty: none is asked for.</summary>
    public IReadOnlyList<string> Subprotocols { get; init; } = [];

    /// <summary>True: a client that offers none of the subprotocols is refused.</summary>
    public bool NeedsSubprotocol { get; init; }

    /// <summary>Who is let in at the handshake. After <see cref="EndpointAccess.Anonymous"/> the channel authenticates inside, or never.</summary>
    public required EndpointAccess Access { get; init; }

    /// <summary>Where it answers.</summary>
    public EndpointPlace Place { get; init; } = EndpointPlace.Listener;

    /// <summary>The largest message of a client that has authenticated; default 1 MiB. A larger one closes the connection (1009).</summary>
    public int MaxMessageBytes { get; init; } = 1024 * 1024;

    /// <summary>The same before; default 64 KiB.</summary>
    public int MaxMessageBytesBefore { get; init; } = 64 * 1024;

    /// <summary>How long a client has to authenticate; null: the host's <c>Limits:PreauthTimeout</c>, <see cref="Timeout.InfiniteTimeSpan"/>: for ever.</summary>
    public TimeSpan? AuthenticationTimeout { get; init; }

    /// <summary>What may wait for a client that reads slowly, in bytes; default 4 MiB.</summary>
    public int MaxQueuedBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>What is done here, for rates, metrics and the log; null: the template.</summary>
    public string? Operation { get; init; }

    /// <summary>How often a caller may connect, or null: only the host's general limits hold.</summary>
    public EndpointRate? Rate { get; init; }

    /// <summary>True where pages of any origin may connect.</summary>
    public bool AnyOrigin { get; init; }

    /// <summary>Serves one connection; it is closed when the handler ends (1000, or 1011 after an exception).</summary>
    public required Func<ISocketPeer, CancellationToken, Task> Handler { get; init; }
}
