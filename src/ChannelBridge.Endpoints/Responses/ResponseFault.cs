using System.Buffers;
using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Endpoints.Http;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>An error as Open Responses clients read it.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Type"><c>invalid_request</c>, <c>not_found</c>, <c>too_many_requests</c>, <c>model_error</c> or <c>server_error</c>.</param>
/// <param name="Message">For people.</param>
/// <param name="Param">The member that is wrong, or null.</param>
/// <param name="Code">A stable code, or null.</param>
internal sealed record ResponseFault(int Status, string Type, string Message, string? Param = null, string? Code = null)
{
    private const string InvalidRequest = "invalid_request";

    // What OpenAI's clients wait at most.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(60);

    /// <summary>When to try again, or null.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether trying again may help; null: the status says it.</summary>
    public bool? Retryable { get; init; }

    /// <summary>A path that isn't there.</summary>
    public static ResponseFault NoPath { get; } = new(404, "not_found", "There is no such path.", null, "unknown_path");

    /// <summary>A method that a path doesn't take.</summary>
    public static ResponseFault NoMethod(string methods) =>
        new(405, InvalidRequest, $"This path takes {methods}.", null, "method_not_allowed");

    /// <summary>A body in a form that isn't read.</summary>
    public static ResponseFault Unsupported(string message) => new(415, InvalidRequest, message, null, "unsupported_media_type");

    /// <summary>No token, or a wrong one.</summary>
    public static ResponseFault Unauthorized(string message) => new(401, InvalidRequest, message, null, "unauthorized");

    /// <summary>The token doesn't allow it.</summary>
    public static ResponseFault Forbidden(string scope) => new(403, InvalidRequest, $"The token lacks the scope {scope}.", null, "forbidden");

    /// <summary>A response that isn't there.</summary>
    public static ResponseFault NoResponse(string id) =>
        new(404, "not_found", $"There is no response '{id}': unknown, expired, deleted, not stored, or another token's.", null, "response_not_found");

    /// <summary>The error of an exception.</summary>
    public static ResponseFault Of(Exception fault) => fault switch
    {
        UnsupportedFormException wrong => Unsupported(wrong.Message),
        ResponseRequestException wrong => new ResponseFault(400, InvalidRequest, wrong.Message, wrong.Param, wrong.Code),
        BridgeException known => new ResponseFault(StatusOf(known.Code), TypeOf(known.Code), known.Message, (string?)known.Details?["param"],
            CodeOf(known))
        { RetryAfter = known.RetryAfter },
        _ => new ResponseFault(500, "server_error", "The host has a fault; its log says more."),
    };

    /// <summary>The error of a response that failed before it had given anything. What its provider said by a status keeps its
    /// meaning.</summary>
    public static ResponseFault Of(ResponseError error)
    {
        var (status, type) = error.Status switch
        {
            429 => (429, "too_many_requests"),
            404 => (404, "not_found"),
            >= 400 and < 500 and var refused => (refused, InvalidRequest),
            503 => (503, error.Code == "unavailable" ? "server_error" : "model_error"),
            _ => error.Code switch
            {
                "server_error" or ResponseErrors.Interrupted => (500, "server_error"),
                "too_many_requests" => (429, "too_many_requests"),
                InvalidRequest => (400, InvalidRequest),
                _ => (500, "model_error"),
            },
        };
        return new ResponseFault(status, type, error.Message, null, error.Code)
        {
            RetryAfter = error.RetryAfter,
            Retryable = error.Retryable,
        };
    }

    /// <summary>Answers a request by it.</summary>
    public Task WriteAsync(HttpContext context)
    {
        var headers = context.Response.Headers;
        if (RetryAfter is { } wait)
        {
            headers.RetryAfter = Math.Ceiling(Math.Max(1, wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            headers["Retry-After-Ms"] = Math.Ceiling(Math.Max(1, wait.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);
        }

        // OpenAI's clients repeat at once what they don't want to wait for, and every 5xx; by this header they don't.
        if (Retryable == false || RetryAfter > LongestWait) headers["X-Should-Retry"] = "false";
        if (Status == StatusCodes.Status401Unauthorized) headers.WWWAuthenticate = "Bearer";
        var body = ToBody();
        context.Response.StatusCode = Status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    /// <summary>The body of an HTTP answer: <c>{"error":{message,type,param,code}}</c>.</summary>
    public byte[] ToBody()
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WritePropertyName("error"u8);
            WriteError(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The message of a WebSocket: <c>{"type":"error","status":…,"error":{…}}</c>, with the members flat, too, for clients that read them there.</summary>
    public byte[] ToMessage()
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, "error"u8);
            writer.WriteNumber("status"u8, Status == 404 ? 400 : Status);
            writer.WritePropertyName("error"u8);
            WriteError(writer);
            writer.WriteString("code"u8, Code ?? Type);
            writer.WriteString("message"u8, Message);
            writer.WriteString("param"u8, Param);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private void WriteError(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("message"u8, Message);
        writer.WriteString("type"u8, Type);
        writer.WriteString("param"u8, Param);
        writer.WriteString("code"u8, Code ?? Type);
        writer.WriteEndObject();
    }

    private static int StatusOf(string code) => code switch
    {
        ErrorCodes.InvalidRequest or ErrorCodes.Conflict => 400,
        ErrorCodes.Unauthorized => 401,
        ErrorCodes.Forbidden => 403,
        ErrorCodes.NotFound => 404,
        ErrorCodes.PayloadTooLarge => 413,
        ErrorCodes.Busy or ErrorCodes.RateLimited => 429,
        ErrorCodes.Unavailable => 503,
        _ => 500,
    };

    private static string TypeOf(string code) => code switch
    {
        ErrorCodes.InvalidRequest or ErrorCodes.Conflict or ErrorCodes.Unauthorized or ErrorCodes.Forbidden or ErrorCodes.PayloadTooLarge => InvalidRequest,
        ErrorCodes.NotFound => "not_found",
        ErrorCodes.Busy or ErrorCodes.RateLimited => "too_many_requests",
        _ => "server_error",
    };

    private static string? CodeOf(BridgeException known) => (string?)known.Details?["code"] ?? (known.Code == ErrorCodes.InvalidRequest ? null : known.Code.ToLowerInvariant());
}
