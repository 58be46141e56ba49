namespace ChannelBridge.Abstractions.Dialing;

/// <summary>A connection that is to be opened.</summary>
public sealed record DialRequest
{
    /// <summary>A <c>ws</c> or <c>wss</c> address. Credentials travel as headers, never in the address, which proxies log.</summary>
    public required Uri Url { get; init; }

    /// <summary>Headers of the upgrade.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The subprotocols that are offered.</summary>
    public IReadOnlyList<string> Subprotocols { get; init; } = [];

    /// <summary>The largest message that is taken; a larger one breaks the connection.</summary>
    public int MaxMessageBytes { get; init; } = 1024 * 1024;

    /// <summary>
    /// Where the address may lie, looked at when the connection is made, as in <see cref="Net.GuardedRequest.Networks"/>; null: anywhere, for an address that the operator has
    /// named.
    /// </summary>
    public IReadOnlyList<string>? Networks { get; init; }

    /// <summary>Whom to trust over TLS besides the system's roots; null: nobody.</summary>
    public ServerTrust? Trust { get; init; }

    /// <summary>Called for whatever arrives, from the reading loop.</summary>
    public Action? Heard { get; init; }

    /// <summary>Called with the number of each ping frame that was answered.</summary>
    public Action<long>? Ponged { get; init; }
}

/// <summary>Opens WebSockets to others, for channels that dial out.</summary>
public interface IDialer
{
    /// <summary>Connects.</summary>
    /// <exception cref="IOException">The other side answered and refused.</exception>
    Task<IDialedSocket> DialAsync(DialRequest request, CancellationToken cancellationToken = default);
}

/// <summary>One connection that was dialed. Reading is one caller's; sending is anybody's, one message after the other.</summary>
public interface IDialedSocket : IAsyncDisposable
{
    /// <summary>The next message, text or binary; null when the other side has closed.</summary>
    ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Sends a text message; completes when it is handed to the network.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken);

    /// <summary>Sends text messages in order, together where that can be done; completes when all are handed to the network.</summary>
    async ValueTask SendAsync(IReadOnlyList<ReadOnlyMemory<byte>> messages, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(messages);
        for (var i = 0; i < messages.Count; i++) await SendAsync(messages[i], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a ping frame that carries a number.</summary>
    ValueTask PingAsync(long number, CancellationToken cancellationToken);

    /// <summary>Says goodbye in an orderly way; reading ends soon after, whatever the other side does. Never throws.</summary>
    ValueTask CloseAsync();

    /// <summary>Why the other side closed, for the status; null when it said nothing.</summary>
    string? CloseReason { get; }

    /// <summary>The code with which the other side closed; null while it hasn't, when the connection broke, and where it can't be told.</summary>
    int? CloseCode => null;

    /// <summary>Breaks the connection at once.</summary>
    void Abort();
}
