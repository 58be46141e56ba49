using System.Buffers;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Endpoints.Router;
using ChannelBridge.Protocol.Buffers;
using ChannelBridge.Protocol.JsonRpc;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>A JSON-RPC 2.0 peer: over a WebSocket, a socket, a pipe or standard input and output. Calls go both ways.</summary>
internal sealed class JsonRpcConnection : ClientConnection, IRpcPeer, IReauthenticatable
{
    private const string CancelMethod = "$/cancelRequest";

    private readonly OutgoingCalls _calls;
    private volatile bool _isPeer;

    /// <summary>Creates a connection.</summary>
    /// <param name="runtime">Shared parts.</param>
    /// <param name="transport">Carries the messages.</param>
    /// <param name="origin">Where it came from.</param>
    /// <param name="caller">The caller that the door vouches for; null when it must authenticate first.</param>
    public JsonRpcConnection(EndpointRuntime runtime, MessageTransport transport, ConnectionOrigin origin, Caller? caller)
        : base(runtime, transport, origin, caller ?? new Caller("anonymous", Scopes.None, origin.Door))
    {
        _calls = new OutgoingCalls(runtime.Limits.MaxCallsInFlight);
        if (caller is not null) SetAuthenticated(caller);
    }

    public override string Dialect => "jsonrpc";

    // The answers that running requests may be waiting for come through the same reader.
    protected override bool WaitsForRoom => !_isPeer;

    /// <inheritdoc/>
    public void SetCaller(Caller caller) => SetAuthenticated(caller);

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> InvokeAsync(
        string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        BecomePeer();
        var (id, answer) = _calls.Open();
        var message = OutgoingMessage.Rent();
        JsonRpcWriter.WriteRequest(message, id, method, parameters.Span);
        return await SendCallAsync(id, answer, message, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> InvokeAsync(
        string method, ReadOnlyMemory<byte> parameters, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        BecomePeer();
        var (id, answer) = _calls.Open();
        var message = OutgoingMessage.Rent();
        message.IsBinary = true;
        using (var header = new PooledBuffer(parameters.Length + 128))
        {
            JsonRpcWriter.WriteRequest(header, id, method, parameters.Span);
            BinaryMessage.Write(message, header.Written.Span, content.Span);
        }

        return await SendCallAsync(id, answer, message, cancellationToken).ConfigureAwait(false);
    }

    private void BecomePeer()
    {
        if (_isPeer) return;
        _isPeer = true;
        Requests.MaxRequests = Runtime.Limits.MaxPeerRequestsInFlight;
        Requests.Wake();
    }

    private async ValueTask<ReadOnlyMemory<byte>> SendCallAsync(
        long id, Task<ReadOnlyMemory<byte>> answer, OutgoingMessage message, CancellationToken cancellationToken)
    {
        var outcome = Outgoing.TryEnqueue(message);
        if (outcome != EnqueueOutcome.Enqueued)
        {
            message.Return();
            _calls.Forget(id);
            throw outcome == EnqueueOutcome.Closed
                ? OutgoingCalls.Lost()
                : BridgeException.Busy("the peer reads too slowly; its outgoing buffer is full", TimeSpan.FromSeconds(1));
        }

        using var registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (connection, call) = ((JsonRpcConnection, long))state!;
                connection.CancelCall(call, token);
            },
            (this, id));
        return await answer.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<PushOutcome> NotifyAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken = default)
    {
        var message = OutgoingMessage.Rent();
        JsonRpcWriter.WriteNotification(message, method, parameters.Span);
        return EnqueueAndFlushAsync(message, numbered: false, cancellationToken);
    }

    // Only a link sends such; a chunk of a file transfer has no "jsonrpc" in its header.
    protected override bool IsBinaryCall(IncomingMessage message) => Caller.Scopes.HasFlag(Scopes.Link) && BinaryMessage.IsCall(message.Memory.Span);

    protected override void OnOpened()
    {
    }

    protected override void OnInputEnded() => _calls.Close();

    protected override void OnClosed() => _calls.Close();

    protected override void Handle(IncomingMessage message)
    {
        switch (message.Kind)
        {
            case IncomingKind.Text when JsonRpcReader.IsBatch(message.Memory.Span):
                HandleBatch(message);
                break;
            case IncomingKind.Text:
                HandleOne(message, message.Memory, batch: null);
                break;
            case IncomingKind.TooLarge when !IsAuthenticated:
                Close(1009, "payload too large before authentication");
                break;
            case IncomingKind.NoRoom when !IsAuthenticated:
                Close(1013, "too many large messages before authentication; try again later");
                break;
            case IncomingKind.NoRoom:
                Reply(new JsonRpcId(message.RecoveredId), JsonRpcErrorCodes.ApplicationError, NoRoom(message));
                break;
            case IncomingKind.TooLarge:
                Reply(new JsonRpcId(message.RecoveredId), JsonRpcErrorCodes.InvalidRequest, new BridgeException(
                    ErrorCodes.PayloadTooLarge, $"message of {message.WireLength} bytes is larger than maxPayload {Transport.MaxMessageBytes}"));
                break;
            case IncomingKind.Binary when IsBinaryCall(message):
                HandleBinaryCall(message);
                break;
            case IncomingKind.Binary:
                Reply(JsonRpcId.Null, JsonRpcErrorCodes.InvalidRequest, BridgeException.Invalid(
                    "binary messages carry chunks of file transfers, and no transfer of this connection has agreed on encoding \"binary\""));
                break;
            default:
                Reply(JsonRpcId.Null, JsonRpcErrorCodes.ParseError, BridgeException.Invalid(message.Fault ?? "the stream is unreadable"));
                Close(1002, "framing error");
                break;
        }
    }

    protected override void WriteEvent(OutgoingMessage output, string name, ReadOnlySpan<byte> payload) =>
        JsonRpcWriter.WriteNotification(output, name, payload);

    protected override void EndEvent(OutgoingMessage output)
    {
    }

    protected override void BeginResult(PendingRequest request) => JsonRpcWriter.BeginResult(request.Response, new JsonRpcId(request.Id));

    protected override void EndResult(PendingRequest request) => request.Response.Write(JsonRpcWriter.End);

    protected override void WriteError(PendingRequest request, BridgeException error)
    {
        var id = new JsonRpcId(request.Id);
        if (error is UnknownMethodException) ErrorRenderer.WriteJsonRpc(request.Response, id, JsonRpcErrorCodes.MethodNotFound, error);
        else ErrorRenderer.WriteJsonRpc(request.Response, id, error);
    }

    protected override CancellationToken TokenOf(PendingRequest request) => request.MakeCancellable();

    private void HandleBatch(IncomingMessage message)
    {
        if (!JsonRpcReader.TryReadBatch(message.Memory, Runtime.Json, Runtime.Limits.MaxBatchItems, out var items, out var error))
        {
            Reply(JsonRpcId.Null, ErrorRenderer.JsonRpcCode(error.Fault), ErrorRenderer.Describe(error, ""));
            return;
        }

        var batch = new BatchReply(items.Count);
        foreach (var item in items) HandleOne(message, item, batch);
    }

    private void HandleBinaryCall(IncomingMessage message)
    {
        if (BinaryMessage.TryRead(message.Memory, out var header, out var content)) HandleOne(message, header, batch: null, content);
        else Reply(JsonRpcId.Null, JsonRpcErrorCodes.InvalidRequest, BridgeException.Invalid("the binary message's header is longer than the message"));
    }

    private void HandleOne(IncomingMessage message, ReadOnlyMemory<byte> bytes, BatchReply? batch, ReadOnlyMemory<byte> content = default)
    {
        if (!JsonRpcReader.TryRead(bytes, Runtime.Json, out var call, out var error))
        {
            Answer(batch, call.Id, ErrorRenderer.JsonRpcCode(error.Fault), TakeRate() ?? ErrorRenderer.Describe(error, ""));
            return;
        }

        switch (call.Kind)
        {
            case JsonRpcMessageKind.Result:
                _calls.Succeed(call.Id, call.Result);
                Skip(batch);
                break;
            case JsonRpcMessageKind.Error:
                _calls.Fail(call.Id, call.Error);
                Skip(batch);
                break;
            case JsonRpcMessageKind.Notification when call.Method.Span.StartsWith("$/"u8):
                if (call.Method.Span.SequenceEqual("$/cancelRequest"u8)) CancelRequest(call.Parameters);
                Skip(batch);
                break;
            default:
                StartCall(message, call, batch, content);
                break;
        }
    }

    private void StartCall(IncomingMessage message, in JsonRpcMessage call, BatchReply? batch, ReadOnlyMemory<byte> content)
    {
        if (_isPeer && Requests.IsFull)
        {
            if (call.Id.IsNone) Skip(batch);
            else Answer(batch, call.Id, JsonRpcErrorCodes.ApplicationError,
                BridgeException.Busy("too many requests of this connection are running", TimeSpan.FromMilliseconds(250)));
            return;
        }

        var request = PendingRequest.Rent(this, message, call.Id.Raw, Runtime.Time.GetTimestamp());
        request.Batch = batch;
        request.Content = content;
        if (!Requests.TryAdd(request))
        {
            request.Return();
            Answer(batch, call.Id, JsonRpcErrorCodes.InvalidRequest, BridgeException.Invalid("a request with this id is still running on this connection"));
            return;
        }

        Start(request, call.Method.Span, call.Parameters, call.TraceParent.Span);
    }

    private void CancelRequest(ReadOnlyMemory<byte> parameters)
    {
        if (parameters.IsEmpty) return;
        try
        {
            var reader = new Utf8JsonReader(parameters.Span);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isId = reader.ValueTextEquals("id"u8);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                if (isId) Requests.Cancel(parameters.Span[start..(int)reader.BytesConsumed]);
            }
        }
        catch (JsonException)
        {
            // The reader has checked it already; a notification gets no answer anyway.
        }
    }

    private void CancelCall(long id, CancellationToken token)
    {
        if (!_calls.Cancel(id, token)) return;
        var message = OutgoingMessage.Rent();
        Span<byte> parameters = stackalloc byte[32];
        "{\"id\":"u8.CopyTo(parameters);
        System.Buffers.Text.Utf8Formatter.TryFormat(id, parameters[6..], out var length);
        parameters[6 + length] = (byte)'}';
        JsonRpcWriter.WriteNotification(message, CancelMethod, parameters[..(7 + length)]);
        if (Outgoing.TryEnqueue(message) != EnqueueOutcome.Enqueued) message.Return();
    }

    private void Answer(BatchReply? batch, JsonRpcId id, int code, BridgeException error)
    {
        if (batch is null)
        {
            Reply(id, code, error);
            return;
        }

        Telemetry.Errors.Add(1, new KeyValuePair<string, object?>("channelbridge.code", error.Code));
        var answer = OutgoingMessage.Rent();
        ErrorRenderer.WriteJsonRpc(answer, id.IsNone ? JsonRpcId.Null : id, code, error);
        if (batch.Add(answer.Body.Span) is { } reply) Send(reply);
        answer.Return();
    }

    private void Skip(BatchReply? batch)
    {
        if (batch?.Add(default) is { } reply) Send(reply);
    }

    private void Reply(JsonRpcId id, int code, BridgeException error)
    {
        Telemetry.Errors.Add(1, new KeyValuePair<string, object?>("channelbridge.code", error.Code));
        var message = OutgoingMessage.Rent();
        ErrorRenderer.WriteJsonRpc(message, id.IsNone ? JsonRpcId.Null : id, code, error);
        Send(message);
    }
}
