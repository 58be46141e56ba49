using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace ChannelBridge.A2A.Server;

/// <summary>Serves A2A over JSON-RPC in both versions: reads the request, has it done, writes the answer.</summary>
public sealed class JsonRpcDoor(IA2AService service)
{
    /// <summary>The most requests of one batch.</summary>
    public const int MaxBatch = 30;

    private const string Json = "application/json";
    private static readonly ReadOnlyMemory<byte> Null = "null"u8.ToArray();

    /// <summary>Answers one HTTP request.</summary>
    /// <param name="client">The client that was authenticated.</param>
    /// <param name="version">What the <c>A2A-Version</c> header or query says, or null.</param>
    /// <param name="contentType">What the <c>Content-Type</c> header says, or null.</param>
    /// <param name="body">The body; it must stay until the call has ended.</param>
    /// <param name="cancellationToken">The client has left.</param>
    public async Task<DoorAnswer> HandleAsync(
        string client, string? version, string? contentType, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var dialect = Versions.Normalise(version) switch
        {
            Versions.V03 => A2ADialect.V03,
            Versions.V10 => A2ADialect.V10,
            _ => null,
        };
        if (dialect is null)
        {
            return Refuse(new A2AException(A2AError.VersionNotSupported, "The versions spoken here are 0.3 and 1.0."), Versions.V10, Null);
        }

        if (!IsJson(contentType))
        {
            return Refuse(new A2AException(A2AError.ContentTypeNotSupported, "The body must be application/json."), dialect.Version, Null);
        }

        if (!TryRead(body, out var requests, out var isBatch, out var fault)) return Refuse(fault!, dialect.Version, Null);
        var unsaid = string.IsNullOrWhiteSpace(version);
        if (!isBatch)
        {
            var only = unsaid ? Guess(requests[0]) : dialect;
            return await OneAsync(client, only, requests[0], mayStream: true, cancellationToken).ConfigureAwait(false);
        }

        var answers = new List<ReadOnlyMemory<byte>>(requests.Count);
        foreach (var request in requests)
        {
            var each = unsaid ? Guess(request) : dialect;
            var answer = await OneAsync(client, each, request, mayStream: false, cancellationToken).ConfigureAwait(false);
            answers.Add(answer.Body);
        }

        return DoorAnswer.Of(200, Json, Batch(answers));
    }

    private async Task<DoorAnswer> OneAsync(
        string client, A2ADialect dialect, RpcRequest request, bool mayStream, CancellationToken cancellationToken)
    {
        var id = request.Id.IsEmpty ? Null : request.Id;
        if (request.Fault is { } wrong) return Refuse(new A2AException(A2AError.InvalidRequest, wrong), dialect.Version, id);
        try
        {
            if (Streaming(request, dialect) is not { } opening)
            {
                var result = await CallAsync(client, dialect, request, cancellationToken).ConfigureAwait(false);
                return DoorAnswer.Of(200, Json, Wrap(id, result));
            }

            if (!mayStream) throw new A2AException(A2AError.UnsupportedOperation, "A batch can't stream: send the request by itself.");
            var events = await opening(client, cancellationToken).ConfigureAwait(false);
            return DoorAnswer.Stream(events, item => Wrap(id, item.Bytes(dialect)));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception fault)
        {
            return Refuse(Told(Faults.From(fault), dialect), dialect.Version, id);
        }
    }

    /// <summary>
    /// A request that names no version is one of 0.3, unless its method is one of 1.0's: OpenClaw's own channel writes 1.0 and never says so.
    /// </summary>
    private static A2ADialect Guess(RpcRequest request) =>
        request.Method is { Length: > 0 } method && char.IsAsciiLetterUpper(method[0]) ? A2ADialect.V10 : A2ADialect.V03;

    /// <summary>A message to an ended task has another number in 0.3, as its SDK has it.</summary>
    private static A2AException Told(A2AException fault, A2ADialect dialect) =>
        fault.Code == IA2AService.TaskEnded && dialect.Version == Versions.V03
            ? new A2AException(A2AError.InvalidRequest, fault.Message) { Code = fault.Code }
            : fault;

    private Func<string, CancellationToken, Task<IA2AEvents>>? Streaming(RpcRequest request, A2ADialect dialect)
    {
        switch (request.Method)
        {
            case "SendStreamingMessage" when dialect == A2ADialect.V10:
            case "message/stream":
                var send = dialect.ReadSend(Needed(request));
                return (client, cancellationToken) => service.StreamAsync(client, send, cancellationToken);
            case "SubscribeToTask" when dialect == A2ADialect.V10:
            case "tasks/resubscribe":
                var subscribe = dialect.Subscribe.Read(Needed(request));
                return (client, cancellationToken) => service.SubscribeAsync(client, subscribe, cancellationToken);
            default:
                return null;
        }
    }

    /// <summary>Methods of 1.0 go with its header, those of 0.3 with either: some clients write the old names around new records.</summary>
    private async Task<ReadOnlyMemory<byte>> CallAsync(
        string client, A2ADialect dialect, RpcRequest request, CancellationToken cancellationToken)
    {
        var current = dialect == A2ADialect.V10;
        switch (request.Method)
        {
            case "SendMessage" when current:
            case "message/send":
                var sent = await service.SendAsync(client, dialect.ReadSend(Needed(request)), cancellationToken).ConfigureAwait(false);
                return dialect.SendResult.ToBytes(sent);
            case "GetTask" when current:
            case "tasks/get":
                return dialect.Task.ToBytes(
                    await service.GetAsync(client, dialect.Get.Read(Needed(request)), cancellationToken).ConfigureAwait(false));
            case "ListTasks" when current:
                return dialect.ListResult!.ToBytes(
                    await service.ListAsync(client, dialect.List!.Read(OrEmpty(request)), cancellationToken).ConfigureAwait(false));
            case "CancelTask" when current:
            case "tasks/cancel":
                return dialect.Task.ToBytes(
                    await service.CancelAsync(client, dialect.Cancel.Read(Needed(request)), cancellationToken).ConfigureAwait(false));
            case "CreateTaskPushNotificationConfig" when current:
            case "tasks/pushNotificationConfig/set":
                return dialect.PushResult.ToBytes(
                    await service.SetPushAsync(client, dialect.ReadPush(Needed(request)), cancellationToken).ConfigureAwait(false));
            case "GetTaskPushNotificationConfig" when current:
            case "tasks/pushNotificationConfig/get":
                return dialect.PushResult.ToBytes(
                    await service.GetPushAsync(client, dialect.PushId.Read(Needed(request)), cancellationToken).ConfigureAwait(false));
            case "ListTaskPushNotificationConfigs" when current:
            case "tasks/pushNotificationConfig/list":
                return dialect.Pushes.ToBytes(
                    await service.ListPushAsync(client, dialect.ListPush.Read(Needed(request)), cancellationToken).ConfigureAwait(false));
            case "DeleteTaskPushNotificationConfig" when current:
            case "tasks/pushNotificationConfig/delete":
                await service.DeletePushAsync(client, dialect.PushId.Read(Needed(request)), cancellationToken).ConfigureAwait(false);
                return current ? "{}"u8.ToArray() : Null;
            case "GetExtendedAgentCard" when current:
            case "agent/getAuthenticatedExtendedCard":
                return dialect.Card.ToBytes(
                    await service.GetExtendedCardAsync(client, new ExtendedCardRequest(), cancellationToken).ConfigureAwait(false));
            default:
                throw new A2AException(A2AError.MethodNotFound, $"There is no method {request.Method} in version {dialect.Version}.");
        }
    }

    private static ReadOnlySpan<byte> Needed(RpcRequest request) =>
        request.Params.IsEmpty ? throw new A2AException(A2AError.InvalidParams, "params is missing.") : request.Params.Span;

    private static ReadOnlySpan<byte> OrEmpty(RpcRequest request) => request.Params.IsEmpty ? "{}"u8 : request.Params.Span;

    private static bool TryRead(ReadOnlyMemory<byte> body, out List<RpcRequest> requests, out bool isBatch, out A2AException? fault)
    {
        requests = [];
        isBatch = false;
        fault = null;
        try
        {
            if (!Utf8.IsValid(body.Span)) throw new JsonException("The body is not UTF-8.");
            if (BodyBounds.Fault(body.Span) is { } tooMuch)
            {
                fault = new A2AException(A2AError.InvalidRequest, tooMuch);
                return false;
            }

            var reader = new Utf8JsonReader(body.Span);
            reader.Read();
            isBatch = reader.TokenType is JsonTokenType.StartArray;
            if (!isBatch)
            {
                requests.Add(RpcRequest.Read(ref reader, body));
            }
            else
            {
                while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray && requests.Count <= MaxBatch)
                {
                    requests.Add(RpcRequest.Read(ref reader, body));
                }

                if (requests.Count == 0) fault = new A2AException(A2AError.InvalidRequest, "A batch holds one request at least.");
                if (requests.Count > MaxBatch)
                {
                    fault = new A2AException(A2AError.InvalidRequest, $"A batch holds at most {MaxBatch} requests.");
                }
                if (fault is not null) return false;
            }

            // Whatever follows makes it no JSON.
            if (!reader.Read()) return true;
            throw new JsonException("There is something behind the body's end.");
        }
        catch (JsonException)
        {
            fault = new A2AException(A2AError.Parse);
            return false;
        }
    }

    private static bool IsJson(string? contentType)
    {
        if (contentType is not { Length: > 0 }) return true;
        var end = contentType.IndexOf(';', StringComparison.Ordinal);
        var type = contentType.AsSpan(0, end < 0 ? contentType.Length : end).Trim();
        return type.Equals(Json, StringComparison.OrdinalIgnoreCase) || type.Equals(
            "application/a2a+json", StringComparison.OrdinalIgnoreCase);
    }

    // Nearly everything is 200 over JSON-RPC; who is asked to wait is told so by HTTP, too.
    private static DoorAnswer Refuse(A2AException fault, string version, ReadOnlyMemory<byte> id) =>
        DoorAnswer.Of(fault.HttpStatus ?? 200, Json, DoorAnswer.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("jsonrpc"u8, "2.0"u8);
        writer.WritePropertyName("id"u8);
        writer.WriteRawValue(id.Span, skipInputValidation: true);
        writer.WritePropertyName("error"u8);
        ErrorBodies.WriteJsonRpc(writer, fault, version);
        writer.WriteEndObject();
    })).WaitingFor(fault.RetryAfter);

    private static byte[] Wrap(ReadOnlyMemory<byte> id, ReadOnlyMemory<byte> result)
    {
        var start = "{\"jsonrpc\":\"2.0\",\"id\":"u8;
        var middle = ",\"result\":"u8;
        var whole = new byte[start.Length + id.Length + middle.Length + result.Length + 1];
        var at = whole.AsSpan();
        start.CopyTo(at);
        at = at[start.Length..];
        id.Span.CopyTo(at);
        at = at[id.Length..];
        middle.CopyTo(at);
        at = at[middle.Length..];
        result.Span.CopyTo(at);
        at[result.Length] = (byte)'}';
        return whole;
    }

    private static byte[] Batch(List<ReadOnlyMemory<byte>> answers)
    {
        var output = new ArrayBufferWriter<byte>(answers.Sum(static answer => answer.Length + 1) + 1);
        output.Write("["u8);
        for (var i = 0; i < answers.Count; i++)
        {
            if (i > 0) output.Write(","u8);
            output.Write(answers[i].Span);
        }

        output.Write("]"u8);
        return output.WrittenSpan.ToArray();
    }
}
