using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Endpoints.Limits;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Where a connection came from.</summary>
/// <param name="Door">The door.</param>
/// <param name="Address">The remote address; null for local doors.</param>
/// <param name="Place">Its place among the open connections.</param>
internal sealed record ConnectionOrigin(Door Door, IPAddress? Address, ConnectionRegistry.Place Place)
{
    /// <summary>True when somebody between says that the client is elsewhere, whatever the address is.</summary>
    public bool IsForwarded { get; init; }

    /// <summary>For the log.</summary>
    public override string ToString() => Address?.ToString() ?? "local";
}

/// <summary>
/// One client, whatever its dialect: its reader, its way out, its running requests and its end. Requests start in the order in which they were read,
/// because the reader itself starts them; it waits for none, so they end in any order.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has neither timer nor wait handle; its token outlives the connection.")]
internal abstract partial class ClientConnection : IClientConnection
{
    // Answers that a client doesn't read hold its reader up long before they are too many, and earlier still when many clients do that.
    private const long HighWaterBytes = 1024 * 1024;
    private const long ScarceHighWaterBytes = 16 * 1024;

    // Binary messages that are worked on at once; the reader waits at the bound.
    private const int MostBinaryMessages = 32;

    private readonly CancellationTokenSource _closed = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly MethodCall _plainCall;
    private readonly SemaphoreSlim _binaryPlaces = new(MostBinaryMessages);
    private readonly TokenBucket? _addressRate;
    private readonly ILogger _logger;
    private TokenBucket? _tokenRate;
    private CancellationTokenRegistration _revoked;
    private Caller _caller;
    private long _lastReceived;
    private long _roundsWhenFull = -1;
    private long _fullSince;
    private int _closing;
    private volatile bool _draining;
    private bool _inputEnded;

    protected ClientConnection(EndpointRuntime runtime, MessageTransport transport, ConnectionOrigin origin, Caller caller)
    {
        Id = $"c_{Guid.NewGuid():N}";
        Runtime = runtime;
        Transport = transport;
        Origin = origin;
        _caller = caller;
        _logger = runtime.Logger;
        _plainCall = new MethodCall(this);
        _addressRate = runtime.Rates.ForAddress(origin.Address);
        OpenedAt = runtime.Time.GetTimestamp();
        _lastReceived = runtime.Time.GetUtcNow().UtcTicks;
        Closed = _closed.Token;
        Requests = new RequestTable(runtime.Limits.MaxRequestsInFlight, runtime.Limits.MaxRequestBytesInFlight);
        Outgoing = new OutgoingQueue(transport, runtime.Limits.MaxBufferedBytes, runtime.OutgoingMemory, OnWriteFault);
        transport.Budget = runtime.PreauthMemory;
    }

    /// <inheritdoc/>
    public string Id { get; }

    /// <inheritdoc/>
    public Caller Caller => Volatile.Read(ref _caller);

    /// <inheritdoc/>
    public CancellationToken Closed { get; }

    /// <inheritdoc/>
    public bool ClosedByClient { get; private set; }

    /// <inheritdoc/>
    public DateTimeOffset LastReceivedAt => new(Interlocked.Read(ref _lastReceived), TimeSpan.Zero);

    /// <summary>Where it came from.</summary>
    public ConnectionOrigin Origin { get; }

    /// <summary>True when the caller is known.</summary>
    public bool IsAuthenticated { get; private set; }

    /// <summary>Completes when the connection has ended and everything of it is cleaned up.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Running requests.</summary>
    public int RequestsInFlight => Requests.Count;

    /// <summary>Bytes that wait for the client.</summary>
    public long BufferedBytes => Outgoing.Bytes;

    /// <summary>The dialect's name, for metrics.</summary>
    public abstract string Dialect { get; }

    protected EndpointRuntime Runtime { get; }

    protected MessageTransport Transport { get; }

    protected OutgoingQueue Outgoing { get; }

    protected RequestTable Requests { get; }

    protected long OpenedAt { get; }

    /// <summary>True when the host has begun to close the connection.</summary>
    protected bool IsClosing => Volatile.Read(ref _closing) != 0;

    /// <inheritdoc/>
    public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
    {
        var message = OutgoingMessage.Rent();
        WriteEvent(message, eventName, payload.Span);
        return EnqueueAndFlushAsync(message, numbered: true, cancellationToken);
    }

    /// <inheritdoc/>
    public bool TakesBinary => Runtime.TakesBinary;

    /// <inheritdoc/>
    public ValueTask<PushOutcome> PushBinaryAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> bytes, CancellationToken cancellationToken = default)
    {
        var message = OutgoingMessage.Rent();
        message.IsBinary = true;
        BinaryMessage.Write(message, header, bytes);
        return EnqueueAndFlushAsync(message, numbered: false, cancellationToken);
    }

    /// <summary>Reads until the connection ends.</summary>
    public async Task RunAsync()
    {
        // Requests have traces of their own; the span of the connection's HTTP request would make one endless trace of them all.
        Activity.Current = null;
        Runtime.Connections.Add(this);
        var tags = new TagList { { "channelbridge.door", Telemetry.NameOf(Origin.Door) }, { "channelbridge.dialect", Dialect } };
        Telemetry.Connections.Add(1, tags);
        LogOpened(Id, Dialect, Origin);
        try
        {
            if (IsAuthenticated) OnAuthenticated(Caller);
            else Transport.MaxMessageBytes = Runtime.Limits.MaxPreauthPayloadBytes;
            OnOpened();
            await ReadAsync().ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or ObjectDisposedException)
        {
            LogBroken(Id, fault.Message);
        }
        catch (Exception fault)
        {
            LogReaderFailed(fault, Id);
        }
        finally
        {
            await EndAsync().ConfigureAwait(false);
            Telemetry.Connections.Add(-1, tags);
        }
    }

    /// <summary>Takes no further requests; those that run may end.</summary>
    public Task DrainAsync()
    {
        _draining = true;
        return Requests.EmptyAsync();
    }

    /// <summary>Called about once a second.</summary>
    public virtual void Sweep()
    {
        if (IsClosing) return;
        var limits = Runtime.Limits;
        if (Transport.IsDead)
        {
            Transport.Abort();
            return;
        }

        if (!IsAuthenticated && Runtime.Time.GetElapsedTime(OpenedAt) > limits.PreauthTimeout)
        {
            Telemetry.Refused.Add(1, new KeyValuePair<string, object?>("channelbridge.reason", "authentication_timeout"));
            Close(1008, "authentication timeout");
            return;
        }

        var startedAt = Transport.MessageStartedAt;
        if (startedAt == 0) return;
        var allowed = limits.MessageTimeout + TimeSpan.FromSeconds((double)Transport.MessageBytes / Math.Max(1, limits.MinBytesPerSecond));
        if (Runtime.Time.GetElapsedTime(startedAt) <= allowed) return;
        Telemetry.Refused.Add(1, new KeyValuePair<string, object?>("channelbridge.reason", "message_timeout"));
        Close(1008, "message timeout");
    }

    protected abstract void OnOpened();

    /// <summary>Handles one message; returns as soon as its requests have started.</summary>
    protected abstract void Handle(IncomingMessage message);

    /// <summary>Writes an event up to the place of its number.</summary>
    protected abstract void WriteEvent(OutgoingMessage output, string name, ReadOnlySpan<byte> payload);

    /// <summary>Writes the number of an event and its end; called in the order of sending.</summary>
    protected abstract void EndEvent(OutgoingMessage output);

    /// <summary>Writes what stands before a result.</summary>
    protected abstract void BeginResult(PendingRequest request);

    /// <summary>Writes what stands after a result.</summary>
    protected abstract void EndResult(PendingRequest request);

    /// <summary>Writes a failed answer in place of what was written so far.</summary>
    protected abstract void WriteError(PendingRequest request, BridgeException error);

    /// <summary>The token that ends a request's work.</summary>
    protected abstract CancellationToken TokenOf(PendingRequest request);

    /// <summary>The client writes nothing any more: what waits for its answers waits in vain.</summary>
    protected virtual void OnInputEnded()
    {
    }

    /// <summary>The connection has ended: nobody will answer any more.</summary>
    protected virtual void OnClosed()
    {
    }

    /// <summary>True when reading must wait until a request has ended; false where a full table is answered instead.</summary>
    protected virtual bool WaitsForRoom => true;

    /// <summary>True for a binary message that is a request with bytes beside its parameters, and goes the way of requests.</summary>
    protected virtual bool IsBinaryCall(IncomingMessage message) => false;

    /// <summary>Sets the caller and raises the limits.</summary>
    protected void SetAuthenticated(Caller caller)
    {
        Volatile.Write(ref _caller, caller);
        _tokenRate = Runtime.Rates.ForToken(caller.Name);
        IsAuthenticated = true;
        Transport.Budget = Runtime.IncomingMemory;
        Transport.MaxMessageBytes = Runtime.Limits.MaxPayloadBytes;
        Transport.AcceptsBinary = Runtime.TakesBinary || caller.Scopes.HasFlag(Scopes.Link);
        Origin.Place.Authenticated();
        _revoked.Dispose();
        _revoked = caller.Revoked.CanBeCanceled
            ? caller.Revoked.UnsafeRegister(static state => ((ClientConnection)state!).Close(1008, "access revoked"), this)
            : default;
    }

    /// <summary>
    /// A decision about the caller that takes its time. The reader waits for it, and keeps its message: nothing is read before the caller is known. Null: none.
    /// </summary>
    protected virtual Task? Handshake => null;

    /// <summary>What follows authentication.</summary>
    protected virtual void OnAuthenticated(Caller caller)
    {
    }

    /// <summary>The error for a message that there was no memory for.</summary>
    protected static BridgeException NoRoom(IncomingMessage message) => BridgeException.Busy(
        $"the host holds too many large messages to take one of {message.WireLength} bytes now; send it again", TimeSpan.FromSeconds(1));

    /// <summary>Sends a message; one that doesn't fit into the bound ends the connection.</summary>
    protected void Send(OutgoingMessage message)
    {
        var outcome = Outgoing.TryEnqueue(message, isOwed: IsAuthenticated);
        if (outcome == EnqueueOutcome.Enqueued) return;
        message.Return();
        if (outcome == EnqueueOutcome.Full) CloseSlowConsumer();
    }

    /// <summary>Sends a message and waits until it was flushed.</summary>
    protected async ValueTask<PushOutcome> EnqueueAndFlushAsync(OutgoingMessage message, bool numbered, CancellationToken cancellationToken)
    {
        var flushed = new TaskCompletionSource<PushOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        message.Flushed = flushed;
        switch (Outgoing.TryEnqueue(message, numbered ? EndEvent : null))
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

    private long HighWater => IsAuthenticated && !Runtime.OutgoingMemory.IsScarce ? HighWaterBytes : ScarceHighWaterBytes;

    private async Task ReadAsync()
    {
        while (true)
        {
            var receiving = Transport.ReceiveAsync(CancellationToken.None);
            if (!receiving.IsCompleted) Outgoing.Uncork();
            if (await receiving.ConfigureAwait(false) is not { } message)
            {
                ClosedByClient = Transport.ClosedByPeer && !IsClosing;
                _inputEnded = true;
                return;
            }

            try
            {
                Interlocked.Exchange(ref _lastReceived, Runtime.Time.GetUtcNow().UtcTicks);
                if (IsClosing) continue;
                if (message is { Kind: IncomingKind.Binary, Length: > 0 } && !IsBinaryCall(message) && Runtime.ReceiverOf(message.Memory.Span) is { } receiver)
                {
                    Outgoing.Uncork();
                    await _binaryPlaces.WaitAsync(CancellationToken.None).ConfigureAwait(false);
                    StartBinary(receiver, message);
                    continue;
                }

                Outgoing.Cork();
                Handle(message);
                if (Handshake is { IsCompletedSuccessfully: false } deciding)
                {
                    Outgoing.Uncork();
                    await deciding.ConfigureAwait(false);
                }
            }
            finally
            {
                message.Release();
            }

            while ((Requests.IsFull && WaitsForRoom) || Outgoing.Bytes > HighWater)
            {
                Outgoing.Uncork();
                if (Requests.IsFull && WaitsForRoom) await Requests.RoomAsync().ConfigureAwait(false);
                if (Outgoing.Bytes is var waiting && waiting > HighWater) await Outgoing.BelowAsync(waiting / 2).ConfigureAwait(false);
                if (IsClosing) break;
            }
        }
    }

    /// <summary>The receiver answers by events of its own; messages are handed over in the order in which they came.</summary>
    private void StartBinary(IBinaryReceiver receiver, IncomingMessage message)
    {
        message.AddReference();
        _ = ReceiveBinaryAsync(receiver, message);
    }

    private async Task ReceiveBinaryAsync(IBinaryReceiver receiver, IncomingMessage message)
    {
        try
        {
            if (TakeRate() is null) await receiver.ReceiveAsync(message.Memory, _plainCall, Closed).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogBinaryFailed(fault, Id);
        }
        finally
        {
            message.Release();
            _binaryPlaces.Release();
        }
    }

    private void OnWriteFault(Exception fault)
    {
        LogBroken(Id, fault.Message);
        Transport.Abort();
    }

    [LoggerMessage(EventId = LogEvents.ClientConnectionOpened, Level = LogLevel.Debug, Message = "Connection {Id} opened: {Dialect}, from {Origin}")]
    private partial void LogOpened(string id, string dialect, ConnectionOrigin origin);

    [LoggerMessage(EventId = LogEvents.ClientConnectionBroken, Level = LogLevel.Debug, Message = "Connection {Id} broke: {Reason}")]
    private partial void LogBroken(string id, string reason);

    [LoggerMessage(EventId = LogEvents.ClientConnectionBinaryFailed, Level = LogLevel.Error, Message = "A binary message on connection {Id} failed")]
    private partial void LogBinaryFailed(Exception fault, string id);

    [LoggerMessage(EventId = LogEvents.ClientConnectionReaderFailed, Level = LogLevel.Error, Message = "Reading connection {Id} failed")]
    private partial void LogReaderFailed(Exception fault, string id);
}
