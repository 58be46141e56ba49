using System.Net.WebSockets;
using ChannelBridge.Channels.InstaClaw.Registration;

namespace ChannelBridge.Channels.InstaClaw.Connection;

/// <summary>Dials a broker over WebSocket. The credentials travel as headers of the upgrade, never in the address, which proxies log.</summary>
internal sealed class WebSocketDialer(int maxMessageBytes) : IBrokerDialer
{
    public async Task<IBrokerSocket> DialAsync(Uri url, Profile profile, Action heard, Action<long> ponged, CancellationToken cancellationToken)
    {
        TappedStream? stream = null;
        var handler = new SocketsHttpHandler
        {
            PlaintextStreamFilter = (context, _) =>
            {
                stream = new TappedStream(context.PlaintextStream, heard, ponged);
                return ValueTask.FromResult<Stream>(stream);
            },
        };
        var invoker = new HttpMessageInvoker(handler);
        var socket = new ClientWebSocket();
        try
        {
            // Our own heartbeat counts; the built-in one would only add frames.
            socket.Options.KeepAliveInterval = TimeSpan.Zero;
            socket.Options.CollectHttpResponseDetails = true;
            foreach (var (name, value) in profile.Headers) socket.Options.SetRequestHeader(name, value);
            await socket.ConnectAsync(url, invoker, cancellationToken).ConfigureAwait(false);
            return new WebSocketBroker(socket, invoker, stream!, maxMessageBytes);
        }
        catch (WebSocketException fault) when ((int)socket.HttpStatusCode is >= 300)
        {
            invoker.Dispose();
            throw new IOException($"the broker answered {(int)socket.HttpStatusCode} to the connection", fault);
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

    private sealed class WebSocketBroker(ClientWebSocket socket, HttpMessageInvoker invoker, TappedStream stream, int maxMessageBytes) : IBrokerSocket
    {
        private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(2);
        private readonly SemaphoreSlim _sending = new(1);
        private readonly byte[] _buffer = new byte[16 * 1024];
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string? CloseReason => socket.CloseStatus is { } status ? $"the broker closed the connection ({(int)status})" : null;

        public async ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken)
        {
            var whole = new MemoryStream();
            while (true)
            {
                var part = await socket.ReceiveAsync(_buffer.AsMemory(), cancellationToken).ConfigureAwait(false);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    _closed.TrySetResult();
                    return null;
                }

                if (whole.Length + part.Count > maxMessageBytes)
                {
                    throw new IOException($"the broker sent a message of more than {maxMessageBytes} bytes");
                }

                whole.Write(_buffer, 0, part.Count);
                if (!part.EndOfMessage) continue;
                return whole.GetBuffer().AsMemory(0, (int)whole.Length);
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
