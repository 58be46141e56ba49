using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;

namespace ChannelBridge.Client.Internal;

/// <summary>
/// One connection from its opening to its end: calls that wait for answers, and events. When it ends every call that waits fails with
/// <see cref="ClientErrorCodes.ConnectionLost"/>.
/// </summary>
internal sealed class ClientSession : IAsyncDisposable
{
    /// <summary>A buffer that grew beyond this for one large call is let go afterwards.</summary>
    private const int KeptBuffer = 256 * 1024;

    private const int LengthBytes = 4;

    private readonly IClientTransport _transport;
    private readonly IClientDialect _dialect;
    private readonly Action<ClientEvent> _onEvent;
    private readonly int _maxPending;
    private readonly ConcurrentDictionary<long, TaskCompletionSource<ReadOnlyMemory<byte>>> _pending = new();
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly TaskCompletionSource<ClientEvent> _firstEvent = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ArrayBufferWriter<byte> _outgoing = new(4096);
    private Task _reading = Task.CompletedTask;
    private long _lastId;
    private int _pendingCount;
    private int _disposed;

    public ClientSession(IClientTransport transport, IClientDialect dialect, int maxPending, Action<ClientEvent> onEvent)
    {
        _transport = transport;
        _dialect = dialect;
        _maxPending = maxPending;
        _onEvent = onEvent;
    }

    /// <summary>What the host said of itself.</summary>
    public ServerInfo Server { get; private set; } = new();

    /// <summary>Completes with the reason when the connection has ended. Never fails.</summary>
    public Task<string> Ended => _ended.Task;

    /// <summary>Opens the connection and authenticates.</summary>
    public async Task OpenAsync(string? token, CancellationToken cancellationToken)
    {
        await _transport.OpenAsync(cancellationToken).ConfigureAwait(false);
        _reading = ReadAsync();
        Server = await _dialect.AuthenticateAsync(this, token, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The first event of the connection: the host speaks first where the dialect wants it to.</summary>
    public Task<ClientEvent> WaitForFirstEventAsync(CancellationToken cancellationToken) => _firstEvent.Task.WaitAsync(cancellationToken);

    /// <summary>Calls a method and gives its result, one JSON value.</summary>
    public async Task<ReadOnlyMemory<byte>> CallAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken, string? traceParent = null)
    {
        if (Interlocked.Increment(ref _pendingCount) > _maxPending)
        {
            Interlocked.Decrement(ref _pendingCount);
            throw new ChannelBridgeClientException(ClientErrorCodes.Busy,
                $"{_maxPending} calls wait for answers already; wait for some, or raise MaxPendingCalls")
            { Retryable = true };
        }

        var id = Interlocked.Increment(ref _lastId);
        var answer = new TaskCompletionSource<ReadOnlyMemory<byte>>(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending[id] = answer;
        try
        {
            // A session that ended between two lines fails its calls once; those that come later see it here.
            if (_ended.Task.IsCompleted) throw Lost();
            await SendCallAsync(id, method, parameters, traceParent, cancellationToken).ConfigureAwait(false);
            return await answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            if (_pending.ContainsKey(id)) await TellCancelledAsync(id).ConfigureAwait(false);
            throw;
        }
        finally
        {
            _pending.TryRemove(id, out _);
            Interlocked.Decrement(ref _pendingCount);
        }
    }

    /// <summary>Sends a binary message, which is answered by an event or not at all; completes when it is written.</summary>
    public async Task SendBinaryAsync(ReadOnlyMemory<byte> header, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        var message = ArrayPool<byte>.Shared.Rent(LengthBytes + header.Length + content.Length);
        try
        {
            if (_ended.Task.IsCompleted) throw Lost();
            BinaryPrimitives.WriteInt32BigEndian(message, header.Length);
            header.CopyTo(message.AsMemory(LengthBytes));
            content.CopyTo(message.AsMemory(LengthBytes + header.Length));
            // Not the caller's token: half a message would spoil the connection for everybody.
            await _transport.SendAsync(message.AsMemory(0, LengthBytes + header.Length + content.Length), isBinary: true, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not ChannelBridgeClientException)
        {
            End(fault.Message);
            throw Lost(fault);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
            _sending.Release();
        }
    }

    /// <summary>The error of what waits for a connection that has ended.</summary>
    public ChannelBridgeClientException Lost(Exception? cause = null)
    {
        var reason = _ended.Task.IsCompletedSuccessfully ? _ended.Task.Result : cause?.Message;
        var message = $"The connection to the host ended before the answer came: {reason}";
        return new ChannelBridgeClientException(ClientErrorCodes.ConnectionLost, message, cause) { Retryable = true };
    }

    /// <summary>Ends the connection, in an orderly way where it still can be.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await _sending.WaitAsync(patience.Token).ConfigureAwait(false);
            try
            {
                await _transport.CloseAsync(patience.Token).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (Exception)
        {
            // The goodbye is a courtesy; the connection ends either way.
        }

        End("closed by the client");
        await _stop.CancelAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _transport.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task SendCallAsync(long id, string method, ReadOnlyMemory<byte> parameters, string? traceParent, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _outgoing.ResetWrittenCount();
            _dialect.WriteCall(_outgoing, id, method, parameters.Span, traceParent);
            if (_outgoing.WrittenCount > Server.MaxPayload)
            {
                throw new ChannelBridgeClientException(
                    ClientErrorCodes.PayloadTooLarge, $"{method}: the message has {_outgoing.WrittenCount} bytes, the host takes {Server.MaxPayload}; it was not sent");
            }

            // Not the caller's token: half a message would spoil the connection for everybody.
            await _transport.SendAsync(_outgoing.WrittenMemory, isBinary: false, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not ChannelBridgeClientException && !(fault is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            End(fault.Message);
            throw Lost(fault);
        }
        finally
        {
            if (_outgoing.Capacity > KeptBuffer) _outgoing = new ArrayBufferWriter<byte>(4096);
            _sending.Release();
        }
    }

    private async Task TellCancelledAsync(long id)
    {
        var message = new ArrayBufferWriter<byte>(64);
        if (_dialect.WriteCancel(message, id)) await SendQuietlyAsync(message.WrittenMemory).ConfigureAwait(false);
    }

    private async Task SendQuietlyAsync(ReadOnlyMemory<byte> message)
    {
        try
        {
            await _sending.WaitAsync(_stop.Token).ConfigureAwait(false);
            try
            {
                await _transport.SendAsync(message, isBinary: false, _stop.Token).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (Exception)
        {
            // A broken connection is noticed by the reader.
        }
    }

    private async Task ReadAsync()
    {
        string reason;
        try
        {
            while (await _transport.ReceiveAsync(_stop.Token).ConfigureAwait(false) is { } message)
            {
                if (message.IsBinary)
                {
                    RaiseChunk(message.Bytes);
                    continue;
                }

                var incoming = _dialect.Read(message.Bytes);
                switch (incoming.Kind)
                {
                    case IncomingKind.Answer:
                        Answer(incoming);
                        break;
                    case IncomingKind.Event:
                        Raise(incoming);
                        break;
                    default:
                        var refusal = new ArrayBufferWriter<byte>(128);
                        if (_dialect.WriteNotServed(refusal, incoming.RawId)) await SendQuietlyAsync(refusal.WrittenMemory).ConfigureAwait(false);
                        break;
                }
            }

            reason = _transport.CloseReason is { } said ? $"the host closed the connection ({said})" : "the host closed the connection";
        }
        catch (Exception fault)
        {
            reason = fault.Message;
        }

        End(reason);
    }

    private void Answer(in Incoming incoming)
    {
        if (!_pending.TryRemove(incoming.Id, out var answer)) return;
        if (incoming.Error is { } error) answer.TrySetException(error);
        else answer.TrySetResult(incoming.Payload.IsEmpty ? "null"u8.ToArray() : incoming.Payload.ToArray());
    }

    private void Raise(in Incoming incoming)
    {
        var name = Encoding.UTF8.GetString(incoming.Name.Span);
        var raised = new ClientEvent(name, incoming.Payload.IsEmpty ? "{}"u8.ToArray() : incoming.Payload.ToArray());
        _firstEvent.TrySetResult(raised);
        _onEvent(raised);
    }

    /// <summary>The only binary messages of a host are chunks of files, which a client has asked to have so.</summary>
    private void RaiseChunk(ReadOnlyMemory<byte> message)
    {
        var header = message.Length < LengthBytes ? uint.MaxValue : BinaryPrimitives.ReadUInt32BigEndian(message.Span);
        if (header > message.Length - LengthBytes)
            throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, "The host sent a binary message that is shorter than its header says.");
        var end = LengthBytes + (int)header;
        _onEvent(new ClientEvent("bncr.file.chunk", message[LengthBytes..end].ToArray()) { Content = message[end..].ToArray() });
    }

    private void End(string reason)
    {
        if (!_ended.TrySetResult(reason)) return;
        _firstEvent.TrySetException(Lost());
        foreach (var (id, answer) in _pending)
        {
            if (_pending.TryRemove(id, out _)) answer.TrySetException(Lost());
        }
    }
}
