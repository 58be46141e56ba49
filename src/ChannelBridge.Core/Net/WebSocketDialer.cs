using System.Net.WebSockets;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Net;

/// <summary>Opens WebSockets to others. What arrives is listened to below the WebSocket, so that pongs are heard, too.</summary>
internal sealed class WebSocketDialer : IDialer
{
    /// <inheritdoc/>
    public async Task<IDialedSocket> DialAsync(DialRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        TappedStream? stream = null;
        CorkedStream? corked = null;
        var handler = request.Networks is { } names ? GuardedHandler.Create(AllowedNetworks.Parse(names).Allows, null, Closed) : new SocketsHttpHandler();
        if (request.Trust is { } trust)
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, errors) => trust.Accepts(certificate, chain, errors);
        handler.PlaintextStreamFilter = (context, _) =>
        {
            corked = new CorkedStream(context.PlaintextStream);
            stream = new TappedStream(corked, request.Heard ?? (static () => { }), request.Ponged ?? (static _ => { }));
            return ValueTask.FromResult<Stream>(stream);
        };
        var invoker = new HttpMessageInvoker(handler);
        var socket = new ClientWebSocket();
        try
        {
            // Our own heartbeat counts; the built-in one would only add frames.
            socket.Options.KeepAliveInterval = TimeSpan.Zero;
            socket.Options.CollectHttpResponseDetails = true;
            foreach (var name in request.Subprotocols) socket.Options.AddSubProtocol(name);
            foreach (var (name, value) in request.Headers) socket.Options.SetRequestHeader(name, value);
            await socket.ConnectAsync(request.Url, invoker, cancellationToken).ConfigureAwait(false);
            return new DialedSocket(socket, invoker, stream!, corked!, request.MaxMessageBytes);
        }
        catch (WebSocketException fault) when ((int)socket.HttpStatusCode is >= 300)
        {
            invoker.Dispose();
            throw new IOException($"the other side answered {(int)socket.HttpStatusCode} to the connection", fault);
        }
        catch
        {
            invoker.Dispose();
            throw;
        }
        finally
        {
            if (socket.State != WebSocketState.Open) socket.Dispose();
        }
    }

    private static BridgeException Closed() => BridgeException.Invalid("The address leads into a network that this connection may not go to; nothing was sent.");

    private sealed class DialedSocket(ClientWebSocket socket, HttpMessageInvoker invoker, TappedStream stream, CorkedStream corked, int maxMessageBytes)
        : IDialedSocket
    {
        private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(2);
        private readonly SemaphoreSlim _sending = new(1);
        private readonly byte[] _buffer = new byte[16 * 1024];
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string? CloseReason => socket.CloseStatus is { } status ? $"the other side closed the connection ({(int)status})" : null;

        public int? CloseCode => (int?)socket.CloseStatus;

        public async ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken)
        {
            MemoryStream? whole = null;
            while (true)
            {
                var part = await socket.ReceiveAsync(_buffer.AsMemory(), cancellationToken).ConfigureAwait(false);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    _closed.TrySetResult();
                    return null;
                }

                if ((whole?.Length ?? 0) + part.Count > maxMessageBytes)
                {
                    throw new IOException($"the other side sent a message of more than {maxMessageBytes} bytes");
                }

                // Most messages come in one piece.
                if (part.EndOfMessage && whole is null) return _buffer.AsSpan(0, part.Count).ToArray();
                whole ??= new MemoryStream();
                whole.Write(_buffer, 0, part.Count);
                if (part.EndOfMessage) return whole.GetBuffer().AsMemory(0, (int)whole.Length);
            }
        }

        public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        {
            await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }
        }

        public async ValueTask SendAsync(IReadOnlyList<ReadOnlyMemory<byte>> messages, CancellationToken cancellationToken)
        {
            await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (messages.Count > 1) corked.Cork();
                try
                {
                    for (var i = 0; i < messages.Count; i++)
                        await socket.SendAsync(messages[i], WebSocketMessageType.Text, endOfMessage: true, cancellationToken).ConfigureAwait(false);
                }
                finally
                {
                    if (messages.Count > 1) await corked.UncorkAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            finally
            {
                _sending.Release();
            }
        }

        public ValueTask PingAsync(long number, CancellationToken cancellationToken) => stream.PingAsync(number, cancellationToken);

        public void Abort() => socket.Abort();

        public async ValueTask CloseAsync()
        {
            try
            {
                using var timeout = new CancellationTokenSource(CloseTime);
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, timeout.Token).ConfigureAwait(false);
                await _closed.Task.WaitAsync(timeout.Token).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is WebSocketException or OperationCanceledException or IOException or InvalidOperationException)
            {
                // It is gone, or doesn't answer: nothing more to say.
                socket.Abort();
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (socket.State == WebSocketState.CloseReceived) await CloseAsync().ConfigureAwait(false);
            socket.Abort();
            socket.Dispose();
            invoker.Dispose();
        }
    }
}
