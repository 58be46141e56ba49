using System.Buffers;
using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Core.Responses;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Http;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>The HTTP paths of Open Responses, under <c>/v1</c>.</summary>
internal sealed partial class ResponsesEndpoint(EndpointRuntime runtime, ResponseRuns runs, ResponseOptions options, ResponseAccess access, ResponsesSocket socket)
{
    private readonly ILogger _logger = runtime.Logger;

    /// <summary>Maps the paths.</summary>
    public void Map(IEndpointRouteBuilder endpoints)
    {
        Map(
            endpoints,
            "/v1/responses",
            ("POST", Guard(Scopes.Write, CreateAsync)),
            ("GET", socket.HandleAsync),
            ("CONNECT", socket.HandleAsync));
        Map(endpoints, "/v1/responses/compact", ("POST", Guard(Scopes.Write, CompactAsync)));
        Map(endpoints, "/v1/responses/{id}", ("GET", Guard(Scopes.Read, GetAsync)), ("DELETE", Guard(Scopes.Write, DeleteAsync)));
        Map(endpoints, "/v1/responses/{id}/cancel", ("POST", Guard(Scopes.Write, CancelAsync)));
        Map(endpoints, "/v1/responses/{id}/input_items", ("GET", Guard(Scopes.Read, GetInputAsync)));
        Map(endpoints, "/v1/models", ("GET", Guard(Scopes.Read, GetModelsAsync)));
        Map(endpoints, "/v1/models/{**id}", ("GET", Guard(Scopes.Read, GetModelAsync)));
        endpoints.Map("/v1/{**path}", context => ResponseFault.NoPath.WriteAsync(context));
    }

    /// <summary>A path with its methods: every other one is answered by its name, and browsers' questions beforehand by the
    /// settings.</summary>
    private void Map(IEndpointRouteBuilder endpoints, string path, params (string Method, RequestDelegate Handler)[] handlers)
    {
        var methods = string.Join(", ", handlers.Select(one => one.Method).Where(method => method != "CONNECT"));
        endpoints.Map(path, async context =>
        {
            var method = context.Request.Method;
            var handler = Array.Find(handlers, one => one.Method == method).Handler;
            if (handler is not null)
            {
                await handler(context).ConfigureAwait(false);
            }
            else if (HttpMethods.IsOptions(method))
            {
                CrossOrigin.AnswerPreflight(context, methods, runtime.Options.AllowedOrigins);
            }
            else
            {
                CrossOrigin.Allow(context, runtime.Options.AllowedOrigins);
                context.Response.Headers.Allow = methods;
                await ResponseFault.NoMethod(methods).WriteAsync(context).ConfigureAwait(false);
            }
        });
    }

    private RequestDelegate Guard(Scopes scope, Func<HttpContext, Caller, Task> handler) => async context =>
    {
        try
        {
            CrossOrigin.Allow(context, runtime.Options.AllowedOrigins);
            if (access.Enter(context, scope, out var fault) is not { } caller)
            {
                await fault!.WriteAsync(context).ConfigureAwait(false);
                return;
            }

            using var revoked = caller.Revoked.CanBeCanceled ? caller.Revoked.UnsafeRegister(static state => ((HttpContext)state!).Abort(), context) : default;
            await handler(context, caller).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has disconnected.
        }
        catch (Exception fault)
        {
            if (fault is not (BridgeException or ResponseRequestException or UnsupportedFormException))
                LogFault(fault, context.Request.Path);
            if (context.Response.HasStarted) context.Abort();
            else await ResponseFault.Of(fault).WriteAsync(context).ConfigureAwait(false);
        }
    };

    private async Task CreateAsync(HttpContext context, Caller caller)
    {
        var request = await ReadAsync(context).ConfigureAwait(false);
        if (request.Stream) Trace.LeaveRequest();
        if (IgnoredNote.Of(request) is { } note) context.Response.Headers[IgnoredNote.Header] = note;
        var run = await runs.StartAsync(new ResponseStart { Request = request, Owner = caller.Name }, context.RequestAborted).ConfigureAwait(false);
        var background = request.Background == true;
        var stays = false;
        try
        {
            if (request.Stream)
            {
                stays = await StreamAsync(context, run, -1).ConfigureAwait(false);
                return;
            }

            if (background) await WriteAsync(context, 200, run.Snapshot).ConfigureAwait(false);
            else await AnswerAsync(context, run).ConfigureAwait(false);
            stays = true;
        }
        finally
        {
            if (options.CancelOnDisconnect && !background && !stays) await run.CancelAsync().ConfigureAwait(false);
        }
    }

    private static async Task AnswerAsync(HttpContext context, IResponseRun run)
    {
        var final = await run.WaitAsync(context.RequestAborted).ConfigureAwait(false);
        // Nothing came and nobody asked for that: the client's own way of trying again is right. What came in part is the client's to judge.
        if (FailedEmpty(final) is { Code: not ResponseErrors.Cancelled } error)
            await ResponseFault.Of(run.Failure ?? error).WriteAsync(context).ConfigureAwait(false);
        else await WriteAsync(context, 200, final).ConfigureAwait(false);
    }

    private async Task<bool> StreamAsync(HttpContext context, IResponseRun run, long after)
    {
        var stream = new EventStream(context, options.Heartbeat, runtime.Limits.SlowConsumerTimeout, runtime.Time);
        return await stream.RunAsync(run.ReadAsync(after, context.RequestAborted), context.RequestAborted).ConfigureAwait(false);
    }

    private async Task CompactAsync(HttpContext context, Caller caller)
    {
        using var body = await BodyReader.ReadAsync(context, runtime, options.MaxBodyBytes).ConfigureAwait(false);
        var request = ResponseRequestReader.Read(body.Content);
        if (IgnoredNote.Of(request) is { } note) context.Response.Headers[IgnoredNote.Header] = note;
        if (request.Model is null) throw new ResponseRequestException("model is required", "model", "missing_required_parameter");
        await WriteAsync(context, 200, await runs.CompactAsync(request, caller.Name, context.RequestAborted).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task GetAsync(HttpContext context, Caller caller)
    {
        var id = Id(context);
        if (!ReadFlag(context, "stream"))
        {
            if (await runs.GetAsync(id, caller.Name, context.RequestAborted).ConfigureAwait(false) is { } response) await WriteAsync(context, 200, response).ConfigureAwait(false);
            else await ResponseFault.NoResponse(id).WriteAsync(context).ConfigureAwait(false);
            return;
        }

        long after = -1;
        if (context.Request.Query["starting_after"].ToString() is { Length: > 0 } text
            && (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out after) || after < 0))
            throw new ResponseRequestException("starting_after must be a sequence number", "starting_after", "invalid_value");
        if (await runs.FindAsync(id, caller.Name, context.RequestAborted).ConfigureAwait(false) is { } run) await StreamAsync(context, run, after).ConfigureAwait(false);
        else await ResponseFault.NoResponse(id).WriteAsync(context).ConfigureAwait(false);
    }

    private async Task DeleteAsync(HttpContext context, Caller caller)
    {
        var id = Id(context);
        if (await runs.DeleteAsync(id, caller.Name, context.RequestAborted).ConfigureAwait(false))
        {
            await WriteAsync(context, 200, Json(writer =>
            {
                writer.WriteString("id"u8, id);
                writer.WriteString("object"u8, "response"u8);
                writer.WriteBoolean("deleted"u8, true);
            })).ConfigureAwait(false);
        }
        else
        {
            await ResponseFault.NoResponse(id).WriteAsync(context).ConfigureAwait(false);
        }
    }

    private async Task CancelAsync(HttpContext context, Caller caller)
    {
        var id = Id(context);
        if (await runs.FindAsync(id, caller.Name, context.RequestAborted).ConfigureAwait(false) is not { } run)
        {
            await ResponseFault.NoResponse(id).WriteAsync(context).ConfigureAwait(false);
            return;
        }

        await run.CancelAsync().ConfigureAwait(false);
        await WriteAsync(context, 200, await run.Completion.WaitAsync(context.RequestAborted).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task GetInputAsync(HttpContext context, Caller caller)
    {
        var id = Id(context);
        if (await runs.GetInputAsync(id, caller.Name, context.RequestAborted).ConfigureAwait(false) is { } items)
            await WriteAsync(context, 200, InputPage.Write(items, context.Request.Query)).ConfigureAwait(false);
        else
            await ResponseFault.NoResponse(id).WriteAsync(context).ConfigureAwait(false);
    }

    private Task GetModelsAsync(HttpContext context, Caller caller) => WriteAsync(context, 200, Json(writer =>
    {
        writer.WriteString("object"u8, "list"u8);
        writer.WriteStartArray("data"u8);
        foreach (var agent in runs.Agents)
        {
            writer.WriteStartObject();
            WriteModel(writer, agent);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }));

    private Task GetModelAsync(HttpContext context, Caller caller)
    {
        var id = Id(context);
        var agent = runs.Agents.FirstOrDefault(name => string.Equals(name, id, StringComparison.OrdinalIgnoreCase));
        var missing = $"There is no agent '{id}'; there are: {string.Join(", ", runs.Agents)}.";
        return agent is null
            ? new ResponseFault(404, "not_found", missing, "model", "model_not_found").WriteAsync(context)
            : WriteAsync(context, 200, Json(writer => WriteModel(writer, agent)));
    }

    private static void WriteModel(Utf8JsonWriter writer, string agent)
    {
        writer.WriteString("id"u8, agent);
        writer.WriteString("object"u8, "model"u8);
        writer.WriteNumber("created"u8, 0);
        writer.WriteString("owned_by"u8, "channelbridge"u8);
    }

    private async Task<ResponseRequest> ReadAsync(HttpContext context)
    {
        using var body = await BodyReader.ReadAsync(context, runtime, options.MaxBodyBytes).ConfigureAwait(false);
        return ResponseRequestReader.Read(body.Content);
    }

    private static ResponseError? FailedEmpty(ReadOnlyMemory<byte> response)
    {
        using var document = JsonDocument.Parse(response, ResponseRequestReader.Deep);
        var root = document.RootElement;
        if (root.GetProperty("error") is not { ValueKind: JsonValueKind.Object } error || root.GetProperty("output").GetArrayLength() > 0) return null;
        return new ResponseError(error.GetProperty("code").GetString()!, error.GetProperty("message").GetString()!);
    }

    private static bool ReadFlag(HttpContext context, string name) => context.Request.Query[name].ToString() is "true" or "1";

    private static string Id(HttpContext context) => (string?)context.Request.RouteValues["id"] ?? "";

    private static byte[] Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static Task WriteAsync(HttpContext context, int status, ReadOnlyMemory<byte> json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.Length;
        return context.Response.Body.WriteAsync(json, context.RequestAborted).AsTask();
    }

    [LoggerMessage(LogEvents.ResponsesEndpointFault, LogLevel.Error, "A request to {Path} failed")]
    private partial void LogFault(Exception fault, string path);
}
