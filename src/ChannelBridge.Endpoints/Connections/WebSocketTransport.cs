using System.Net.WebSockets;
using ChannelBridge.Core.Net;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Messages of a WebSocket. Writes of one round go into one flush of the stream below, see <see cref="CorkedStream"/>.</summary>
internal sealed class WebSocketTransport(WebSocket socket, CorkedStream stream, TimeProvider time, Action abort) : MessageTransport
{
    private bool _closedByPeer;
    private bool _saidGoodbye;
    private volatile bool _disposed;

    public override bool ClosedByPeer => _closedByPeer;

    public override bool SaidGoodbye => _saidGoodbye;

    // A ping without an answer: the socket has given up, but the stream of an upgraded request leaves the pending read as it is.
    public override bool IsDead => socket.State == WebSocketState.Aborted;

    /// <summary>The code by which the peer closed, or null.</summary>
    public int? CloseCode => (int?)socket.CloseStatus;

    /// <summary>Its reason, or null.</summary>
    public string? CloseReason => socket.CloseStatusDescription;

    public override async ValueTask<IncomingMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        IncomingMessage? message = null;
        var type = WebSocketMessageType.Text;
        try
        {
            while (true)
            {
                if (message is { Free.IsEmpty: true } && !message.TryMakeRoom(1, Budget, MaxMessageBytes))
                {
                    await ReadPastAsync(message, type, ended: false, IncomingKind.NoRoom, cancellationToken).ConfigureAwait(false);
                    Idle();
                    return message;
                }

                // The first wait is without a buffer: ten thousand idle connections are no reason to hold as many.
                var received = await socket.ReceiveAsync(message?.Free ?? Memory<byte>.Empty, cancellationToken).ConfigureAwait(false);
                message ??= IncomingMessage.Rent();
                if (received.MessageType == WebSocketMessageType.Close)
                {
                    _closedByPeer = socket.State == WebSocketState.CloseReceived;
                    message.Release();
                    Idle();
                    return null;
                }

                message.Advance(received.Count);
                type = received.MessageType;
                var binary = received.MessageType == WebSocketMessageType.Binary;
                if ((binary && !AcceptsBinary) || message.Length > MaxMessageBytes)
                {
                    await ReadPastAsync(message, received.MessageType, received.EndOfMessage, IncomingKind.TooLarge, cancellationToken).ConfigureAwait(false);
                    Idle();
                    return message;
                }

                if (received.EndOfMessage)
                {
                    if (binary) message.MarkBinary();
                    Idle();
                    return message;
                }

                if (message.Length > 0) Progress(time, message.Length);
            }
        }
        catch (Exception fault)
        {
            message?.Release();
            // The socket has told the peer which rule it broke (1002, 1007) before it threw.
            if (fault is WebSocketException { WebSocketErrorCode: not WebSocketError.ConnectionClosedPrematurely, InnerException: null }) _saidGoodbye = true;
            if (fault is WebSocketException or ObjectDisposedException) throw new IOException("the WebSocket broke", fault);
            throw;
        }
    }

    public override async ValueTask SendAsync(IReadOnlyList<OutgoingMessage> messages, CancellationToken cancellationToken)
    {
        try
        {
            if (messages.Count == 1)
            {
                await socket.SendAsync(messages[0].Body, TypeOf(messages[0]), WebSocketMessageFlags.EndOfMessage, cancellationToken).ConfigureAwait(false);
                return;
            }

            stream.Cork();
            try
            {
                for (var i = 0; i < messages.Count; i++)
                    await socket.SendAsync(messages[i].Body, TypeOf(messages[i]), WebSocketMessageFlags.EndOfMessage, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                await stream.UncorkAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception fault) when (fault is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            throw new IOException("the WebSocket broke", fault);
        }
    }

    public override async ValueTask CloseAsync(int code, string reason, CancellationToken cancellationToken)
    {
        if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            await socket.CloseOutputAsync((WebSocketCloseStatus)code, reason, cancellationToken).ConfigureAwait(false);
    }

    public override void Abort()
    {
        if (_disposed) return;
        socket.Abort();
        // The stream of an upgraded request ends no pending read or write when it is disposed of; the connection below does.
        abort();
    }

    public override ValueTask DisposeAsync()
    {
        _disposed = true;
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private static WebSocketMessageType TypeOf(OutgoingMessage message) => message.IsBinary ? WebSocketMessageType.Binary : WebSocketMessageType.Text;

    // Nothing of it is kept, however long it is; only its id is looked for on the way.
    private async ValueTask ReadPastAsync(
        IncomingMessage message, WebSocketMessageType type, bool ended, IncomingKind kind, CancellationToken cancellationToken)
    {
        var binary = type == WebSocketMessageType.Binary;
        var scanner = binary ? null : new MessageIdScanner();
        scanner?.Feed(message.Memory.Span);
        long total = message.Length;
        while (!ended)
        {
            message.Forget();
            var received = await socket.ReceiveAsync(message.Free, cancellationToken).ConfigureAwait(false);
            ended = received.EndOfMessage;
            total += received.Count;
            Progress(time, total);
            message.Advance(received.Count);
            scanner?.Feed(message.Memory.Span);
        }

        scanner?.Complete();
        message.Reject(binary ? IncomingKind.Binary : total > MaxMessageBytes ? IncomingKind.TooLarge : kind, total, scanner?.Id ?? default);
    }
}
