using System.Text.Json;
using System.Text.Unicode;
using ChannelBridge.A2A.Json;

namespace ChannelBridge.A2A.Server;

/// <summary>Serves A2A over plain HTTP in both versions: reads the request, has it done, writes the answer.</summary>
public sealed class RestDoor(IA2AService service)
{
    /// <summary>Answers one request.</summary>
    public async Task<DoorAnswer> HandleAsync(RestRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var shape = request.Path.StartsWith("v1/", StringComparison.Ordinal) ? Versions.V03 : Versions.V10;
        try
        {
            var spoken = Versions.Normalise(request.Version);
            if (request.Version is { Length: > 0 } && spoken is not (Versions.V03 or Versions.V10))
            {
                throw new A2AException(A2AError.VersionNotSupported, "The versions spoken here are 0.3 and 1.0.");
            }

            var route = RestRoute.Of(request.Verb, request.Path)
                ?? throw new A2AException(A2AError.MethodNotFound, $"There is nothing to {request.Verb} at {Shorten(request.Path)}.");
            if (!request.Body.IsEmpty) CheckBody(request);
            return await DoAsync(request, route, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception caught)
        {
            var fault = Faults.From(caught);
            var status = ErrorBodies.RestStatus(fault);
            return DoorAnswer.Of(status, Type(shape), DoorAnswer.Write(writer => ErrorBodies.WriteRest(writer, fault, shape, status)))
                .WaitingFor(fault.RetryAfter);
        }
    }

    private async Task<DoorAnswer> DoAsync(RestRequest request, RestRoute route, CancellationToken cancellationToken)
    {
        var client = request.Client;
        var dialect = route.IsOld ? A2ADialect.V03Rest : A2ADialect.V10;
        switch (route.Operation)
        {
            case RestOperation.Send:
                var sent = await service.SendAsync(client, Send(request, route, dialect), cancellationToken).ConfigureAwait(false);
                return Answer(dialect, dialect.SendResult, sent, route.IsOld ? 201 : 200);
            case RestOperation.Stream:
                return Stream(
                    dialect, await service.StreamAsync(client, Send(request, route, dialect), cancellationToken).ConfigureAwait(false));
            case RestOperation.Subscribe:
                var subscribe = new SubscribeRequest { Id = route.TaskId, Tenant = route.Tenant };
                return Stream(dialect, await service.SubscribeAsync(client, subscribe, cancellationToken).ConfigureAwait(false));
            case RestOperation.Get:
                var get = new GetTaskRequest { Id = route.TaskId, Tenant = route.Tenant, HistoryLength = Number(request, "historyLength") };
                Check.Get(get);
                return Answer(dialect, dialect.Task, await service.GetAsync(client, get, cancellationToken).ConfigureAwait(false));
            case RestOperation.List:
                var page = await service.ListAsync(client, List(request, route), cancellationToken).ConfigureAwait(false);
                return Answer(dialect, dialect.ListResult!, page);
            case RestOperation.Cancel:
                var cancel = new CancelTaskRequest { Id = route.TaskId, Tenant = route.Tenant };
                var stopped = await service.CancelAsync(client, cancel, cancellationToken).ConfigureAwait(false);
                return Answer(dialect, dialect.Task, stopped, route.IsOld ? 202 : 200);
            case RestOperation.SetPush:
                var wanted = dialect.ReadPush(request.Body.Span) with { TaskId = route.TaskId };
                var config = await service.SetPushAsync(client, wanted, cancellationToken).ConfigureAwait(false);
                return Answer(dialect, dialect.PushResult, config, 201);
            case RestOperation.GetPush:
                return Answer(
                    dialect, dialect.PushResult, await service.GetPushAsync(
                        client, Config(route), cancellationToken).ConfigureAwait(false));
            case RestOperation.ListPush:
                var list = new ListPushConfigsRequest { TaskId = route.TaskId, Tenant = route.Tenant };
                return Answer(dialect, dialect.Pushes, await service.ListPushAsync(client, list, cancellationToken).ConfigureAwait(false));
            case RestOperation.DeletePush:
                await service.DeletePushAsync(client, Config(route), cancellationToken).ConfigureAwait(false);
                return DoorAnswer.Of(204, null, default);
            default:
                var asked = new ExtendedCardRequest { Tenant = route.Tenant };
                return Answer(
                    dialect, dialect.Card, await service.GetExtendedCardAsync(client, asked, cancellationToken).ConfigureAwait(false));
        }
    }

    private static SendRequest Send(RestRequest request, RestRoute route, A2ADialect dialect)
    {
        if (request.Body.IsEmpty) throw new JsonException("The body is missing.", "body", null, null);
        var send = dialect.ReadSend(request.Body.Span);
        return route.Tenant is null ? send : send with { Tenant = route.Tenant };
    }

    private static ListTasksRequest List(RestRequest request, RestRoute route)
    {
        var state = request.Query("status") is { Length: > 0 } named
            ? Spelling.State(named) ?? throw Check.Fault("status", "is no task state")
            : TaskState.Unspecified;
        var after = request.Query("statusTimestampAfter") is { Length: > 0 } time
            ? TimestampConverter.Parse(time) ?? throw Check.Fault("statusTimestampAfter", "is no time")
            : (DateTimeOffset?)null;
        var list = new ListTasksRequest
        {
            Tenant = route.Tenant ?? request.Query("tenant"),
            ContextId = request.Query("contextId"),
            Status = state,
            PageSize = Number(request, "pageSize"),
            PageToken = request.Query("pageToken"),
            HistoryLength = Number(request, "historyLength"),
            StatusTimestampAfter = after,
            IncludeArtifacts = request.Query("includeArtifacts") switch
            {
                null or "" => null,
                "true" => true,
                "false" => false,
                _ => throw Check.Fault("includeArtifacts", "is neither true nor false"),
            },
        };
        Check.List(list);
        return list;
    }

    private static int? Number(RestRequest request, string name) => request.Query(name) switch
    {
        null or "" => null,
        { Length: <= 9 } text when int.TryParse(text, out var number) => number,
        _ => throw Check.Fault(name, "is no number"),
    };

    private static PushConfigRequest Config(RestRoute route) => new() { TaskId = route.TaskId, Id = route.ConfigId, Tenant = route.Tenant };

    private static void CheckBody(RestRequest request)
    {
        var type = request.ContentType?.Split(';')[0].Trim();
        if (type is { Length: > 0 } && !type.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            && !type.Equals("application/a2a+json", StringComparison.OrdinalIgnoreCase))
        {
            throw new A2AException(A2AError.ContentTypeNotSupported, "The body must be application/json or application/a2a+json.");
        }

        if (!Utf8.IsValid(request.Body.Span) || !IsJson(request.Body.Span)) throw new A2AException(A2AError.Parse);
        if (BodyBounds.Fault(request.Body.Span) is { } tooMuch) throw new A2AException(A2AError.InvalidRequest, tooMuch);
    }

    private static bool IsJson(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            reader.Read();
            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static DoorAnswer Answer<T>(A2ADialect dialect, A2ACodec<T> codec, T value, int status = 200)
        where T : class => DoorAnswer.Of(status, Type(dialect.Version), codec.ToBytes(value));

    private static DoorAnswer Stream(A2ADialect dialect, IA2AEvents events) => DoorAnswer.Stream(events, item => item.Bytes(dialect));

    private static string Type(string version) => version == Versions.V03 ? "application/json" : "application/a2a+json";

    private static string Shorten(string path) => path.Length <= 100 ? path : string.Concat(path.AsSpan(0, 100), "…");
}
