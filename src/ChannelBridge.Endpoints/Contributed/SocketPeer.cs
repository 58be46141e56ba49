using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Net.WebSockets;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Limits;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>One WebSocket of a channel's endpoint.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has neither timer nor wait handle; its token outlives the connection.")]
internal sealed partial class SocketPeer : ISocketPeer, IOpenExchange
{
    private const int MaxReasonBytes = 123;

    private readonly EndpointRuntime _runtime;
    private readonly WebSocketTransport _transport;
    private readonly HeardStream _heard;
    private readonly ConnectionRegistry.Place _place;
    private readonly RouteTable.Route _route;
    private readonly SocketEndpoint _endpoint;
    private readonly OutgoingQueue _outgoing;
    private readonly CancellationTokenSource _closed = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _openedAt;
    private readonly Lock _gate = new();
    private CancellationTokenRegistration _revoked;
    private Task<IncomingMessage?>? _receiving;
    private IncomingMessage? _current;
    private Caller? _caller;
    private TokenBucket? _tokenRate;
    private readonly TokenBucket? _addressRate;
    private SocketEnd? _end;
    private long _roundsWhenFull = -1;
    private long _fullSince;
    private Task _closing = Task.CompletedTask;
    private bool _isClosing;

    public SocketPeer(
        EndpointRuntime runtime, WebSocketTransport transport, HeardStream heard, ConnectionRegistry.Place place,
        RouteTable.Route route, EndpointRequest request, string? subprotocol, Caller? caller)
    {
        _runtime = runtime;
        _transport = transport;
        _heard = heard;
        _place = place;
        _route = route;
        _endpoint = route.Socket!;
        Request = request;
        Subprotocol = subprotocol;
        Id = $"s_{Guid.NewGuid():N}";
        Closed = _closed.Token;
        _openedAt = runtime.Time.GetTimestamp();
        _addressRate = runtime.Rates.ForAddress(request.RemoteAddress);
        transport.AcceptsBinary = true;
        transport.MaxMessageBytes = _endpoint.MaxMessageBytesBefore;
        transport.Budget = runtime.PreauthMemory;
        _outgoing = new OutgoingQueue(transport, _endpoint.MaxQueuedBytes, runtime.OutgoingMemory, _ => transport.Abort());
        if (caller is not null) Authenticate(caller);
    }

    /// <inheritdoc/>
    public string Id { get; }

    /// <inheritdoc/>
    public EndpointRequest Request { get; }

    /// <inheritdoc/>
    public string? Subprotocol { get; }

    /// <inheritdoc/>
    public Caller? Caller => Volatile.Read(ref _caller);

    /// <inheritdoc/>
    public DateTimeOffset LastHeardAt => _runtime.Time.GetUtcNow() - _runtime.Time.GetElapsedTime(_heard.HeardAt);

    /// <inheritdoc/>
    public long QueuedBytes => _outgoing.Bytes;

    /// <inheritdoc/>
    public CancellationToken Closed { get; }

    /// <inheritdoc/>
    public SocketEnd? End => Volatile.Read(ref _end);

    /// <inheritdoc/>
    public bool IsLong => true;

    /// <inheritdoc/>
    public Task Ended => _ended.Task;

    /// <inheritdoc/>
    public void Authenticate(Caller caller)
    {
        ArgumentNullException.ThrowIfNull(caller);
        Volatile.Write(ref _caller, caller);
        _tokenRate = _runtime.Rates.ForToken(caller.Name);
        _transport.Budget = _runtime.IncomingMemory;
        _transport.MaxMessageBytes = _endpoint.MaxMessageBytes;
        _place.Authenticated();
        _revoked.Dispose();
        if (caller.Revoked.CanBeCanceled) _revoked = caller.Revoked.UnsafeRegister(static state => ((SocketPeer)state!).Close(1008, "access revoked"), this);
    }

    /// <inheritdoc/>
    public void AuthenticationFailed(string? identity) =>
        _runtime.Attempts.Failed(Door.Listener, Request.RemoteAddress, identity, $"refused by the channel {_route.Channel}");

    /// <inheritdoc/>
    public async ValueTask<SocketMessage?> ReceiveAsync(CancellationToken cancellationToken = default)
    {
        _current?.Release();
        _current = null;
        if (_receiving is null && _isClosing) return null;
        try
        {
            IncomingMessage? message;
            var receive = _receiving is { } before ? new ValueTask<IncomingMessage?>(before) : _transport.ReceiveAsync(CancellationToken.None);
            if (receive.IsCompleted)
            {
                // Of a burst most messages are here already.
                message = await receive.ConfigureAwait(false);
            }
            else
            {
                // A receive that was given up goes on, and its message is the next call's: cancelling it would break the connection.
                _receiving = receive.AsTask();
                message = await _receiving.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            _receiving = null;
            if (message is null)
            {
                NoteEnd(new SocketEnd(_transport.CloseCode ?? 1005, _transport.CloseReason ?? "", _transport.ClosedByPeer));
                return null;
            }

            _current = message;
            return Take(message);
        }
        catch (IOException)
        {
            NoteEnd(new SocketEnd(1006, "", true));
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<PushOutcome> SendAsync(ReadOnlyMemory<byte> content, bool binary = false, CancellationToken cancellationToken = default)
    {
        var message = OutgoingMessage.Rent();
        message.IsBinary = binary;
        System.Buffers.BuffersExtensions.Write(message, content.Span);
        var flushed = new TaskCompletionSource<PushOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        message.Flushed = flushed;
        switch (_outgoing.TryEnqueue(message))
        {
            case EnqueueOutcome.Closed:
                message.Return();
                return PushOutcome.Gone;
            case EnqueueOutcome.Full:
                message.Return();
                NoteFull();
                return PushOutcome.Full;
            default:
                return await flushed.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Close(int code = 1000, string reason = "")
    {
        ArgumentNullException.ThrowIfNull(reason);
        if (code is not ((>= 1000 and <= 1014 and not (1004 or 1005 or 1006)) or (>= 3000 and <= 4999)))
            throw new ArgumentOutOfRangeException(nameof(code), "A close code is 1000 to 1014 or 3000 to 4999.");
        lock (_gate)
        {
            if (_isClosing) return;
            _isClosing = true;
            _end ??= new SocketEnd(code, reason, ByPeer: false);
            _closing = CloseAsync(code, Cut(reason));
        }

        _closed.Cancel();
    }

    /// <inheritdoc/>
    public void Stop() => Close(1012, "service restart");

    /// <inheritdoc/>
    public void Abort()
    {
        Close(1011, "aborted");
        _transport.Abort();
    }

    /// <inheritdoc/>
    public void Sweep()
    {
        var limits = _runtime.Limits;
        if (_transport.IsDead)
        {
            _transport.Abort();
            return;
        }

        if (_isClosing) return;
        var patience = _endpoint.AuthenticationTimeout ?? limits.PreauthTimeout;
        if (Caller is null && patience != Timeout.InfiniteTimeSpan && _runtime.Time.GetElapsedTime(_openedAt) > patience)
        {
            Refuse(1008, "authentication timeout");
            return;
        }

        var startedAt = _transport.MessageStartedAt;
        if (startedAt == 0) return;
        var allowed = limits.MessageTimeout + TimeSpan.FromSeconds((double)_transport.MessageBytes / Math.Max(1, limits.MinBytesPerSecond));
        if (_runtime.Time.GetElapsedTime(startedAt) > allowed) Refuse(1008, "message timeout");
    }

    /// <summary>Serves the connection to its end.</summary>
    public async Task RunAsync(ILogger logger)
    {
        // What comes of messages has traces of its own; the span of the connection's HTTP request would make one endless trace of them all.
        Activity.Current = null;
        _runtime.Exchanges.Add(this);
        var gone = _route.Life.Ended.UnsafeRegister(static state => ((SocketPeer)state!).Close(1001, "the channel is gone"), this);
        try
        {
            await _endpoint.Handler(this, Closed).ConfigureAwait(false);
            Close();
        }
        catch (OperationCanceledException) when (Closed.IsCancellationRequested)
        {
            // Closed meanwhile, as it was told.
        }
        catch (Exception fault)
        {
            LogFault(logger, fault, _route.Channel, _route.Template.Text);
            Close(1011, "internal error");
        }
        finally
        {
            await gone.DisposeAsync().ConfigureAwait(false);
            await EndAsync().ConfigureAwait(false);
        }
    }

    private async Task EndAsync()
    {
        Close();
        _current?.Release();
        _current = null;
        // Whoever closes waits for the other side's goodbye; reading on is how it is heard.
        var reading = DrainAsync();
        await _closing.ConfigureAwait(false);
        await reading.WaitAsync(_runtime.Limits.CloseTimeout, _runtime.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!reading.IsCompleted) _transport.Abort();
        _outgoing.Abandon();
        await _revoked.DisposeAsync().ConfigureAwait(false);
        await _transport.DisposeAsync().ConfigureAwait(false);
        _runtime.Exchanges.Remove(this);
        _ended.TrySetResult();
    }

    private async Task DrainAsync()
    {
        try
        {
            while (await (_receiving ?? _transport.ReceiveAsync(CancellationToken.None).AsTask()).ConfigureAwait(false) is { } message)
            {
                _receiving = null;
                message.Release();
            }
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // Gone without a goodbye.
        }
    }

    private SocketMessage? Take(IncomingMessage message)
    {
        if (message.Kind is IncomingKind.TooLarge || (message.Kind == IncomingKind.Binary && message.Length == 0 && message.WireLength > 0))
        {
            Refuse(1009, "message too big");
            return null;
        }

        if (message.Kind == IncomingKind.NoRoom)
        {
            Refuse(1013, "try again later");
            return null;
        }

        if ((_tokenRate is { } token && !token.TryTake(out _)) || (_addressRate is { } address && !address.TryTake(out _)))
        {
            Refuse(1008, "too many messages");
            return null;
        }

        return new SocketMessage(message.Memory, message.Kind == IncomingKind.Binary);
    }

    private void Refuse(int code, string reason)
    {
        Telemetry.Refused.Add(1, new KeyValuePair<string, object?>("channelbridge.reason", reason));
        Close(code, reason);
    }

    private void NoteEnd(SocketEnd end)
    {
        lock (_gate) _end ??= end;
        Close();
    }

    private void NoteFull()
    {
        var rounds = _outgoing.Rounds;
        if (Interlocked.Exchange(ref _roundsWhenFull, rounds) != rounds) Interlocked.Exchange(ref _fullSince, _runtime.Time.GetTimestamp());
        else if (_runtime.Time.GetElapsedTime(Interlocked.Read(ref _fullSince)) >= _runtime.Limits.SlowConsumerTimeout) Refuse(1008, "slow consumer");
    }

    private async Task CloseAsync(int code, string reason)
    {
        // Never inside of the caller's lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await _outgoing.CloseAsync().WaitAsync(_runtime.Limits.CloseTimeout, _runtime.Time).ConfigureAwait(false);
            using var timeout = new CancellationTokenSource(_runtime.Limits.CloseTimeout, _runtime.Time);
            await _transport.CloseAsync(code, reason, timeout.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException or IOException or InvalidOperationException or WebSocketException)
        {
            _transport.Abort();
        }
    }

    private static string Cut(string reason)
    {
        while (Encoding.UTF8.GetByteCount(reason) > MaxReasonBytes) reason = reason[..^1];
        return char.IsHighSurrogate(reason.AsSpan().IsEmpty ? ' ' : reason[^1]) ? reason[..^1] : reason;
    }

    [LoggerMessage(LogEvents.SocketPeerFault, LogLevel.Error, "A connection of the endpoint {Path} of the channel {Channel} failed")]
    private static partial void LogFault(ILogger logger, Exception fault, string channel, string path);
}
