using System.Buffers;
using System.Net.WebSockets;

namespace ChannelBridge.Client.Internal;

/// <summary>Messages are WebSocket messages, text or binary.</summary>
internal sealed class WebSocketTransport(Uri address, TimeSpan keepAlive, int maxMessageBytes, byte[]? fingerprint = null) : IClientTransport
{
    private readonly ClientWebSocket _socket = new();
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
    private bool _disposed;

    public string? CloseReason => _socket.CloseStatus is { } status ? $"{(int)status} {_socket.CloseStatusDescription}".TrimEnd() : null;

    public Task OpenAsync(CancellationToken cancellationToken)
    {
        _socket.Options.KeepAliveInterval = keepAlive;
        _socket.Options.KeepAliveTimeout = keepAlive;
        if (fingerprint is not null)
            _socket.Options.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null && Fingerprint.Matches(certificate, fingerprint);
        return _socket.ConnectAsync(address, cancellationToken);
    }

    public ValueTask SendAsync(ReadOnlyMemory<byte> message, bool isBinary, CancellationToken cancellationToken) =>
        _socket.SendAsync(message, isBinary ? WebSocketMessageType.Binary : WebSocketMessageType.Text, endOfMessage: true, cancellationToken);

    public async ValueTask<ClientMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        var length = 0;
        while (true)
        {
            if (length == _buffer.Length) Grow(length);
            var part = await _socket.ReceiveAsync(_buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
            if (part.MessageType == WebSocketMessageType.Close) return null;
            length += part.Count;
            if (length > maxMessageBytes) throw new InvalidDataException($"the host sent a message larger than {maxMessageBytes} bytes; see MaxMessageBytes");
            if (part.EndOfMessage) return new ClientMessage(_buffer.AsMemory(0, length), part.MessageType == WebSocketMessageType.Binary);
        }
    }

    public async ValueTask CloseAsync(CancellationToken cancellationToken)
    {
        if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            _socket.Dispose();
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }

        return ValueTask.CompletedTask;
    }

    private void Grow(int used)
    {
        var larger = ArrayPool<byte>.Shared.Rent(used * 2);
        _buffer.AsSpan(0, used).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
