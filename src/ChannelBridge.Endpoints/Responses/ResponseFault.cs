using System.Buffers;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;

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

    /// <summary>When to try again, or null.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>No token, or a wrong one.</summary>
    public static ResponseFault Unauthorized(string message) => new(401, InvalidRequest, message, null, "unauthorized");

    /// <summary>The token doesn't allow it.</summary>
    public static ResponseFault Forbidden(string scope) => new(403, InvalidRequest, $"The token lacks the scope {scope}.", null, "forbidden");

    /// <summary>A response that isn't there.</summary>
    public static ResponseFault NoResponse(string id) => new(404, "not_found", $"There is no response '{id}': unknown, expired, deleted, not stored, or another token's.", null, "response_not_found");

    /// <summary>The error of an exception.</summary>
    public static ResponseFault Of(Exception fault) => fault switch
    {
        ResponseRequestException wrong => new ResponseFault(400, InvalidRequest, wrong.Message, wrong.Param, wrong.Code),
        BridgeException known => new ResponseFault(StatusOf(known.Code), TypeOf(known.Code), known.Message, (string?)known.Details?["param"], CodeOf(known)) { RetryAfter = known.RetryAfter },
        _ => new ResponseFault(500, "server_error", "The host has a fault; its log says more."),
    };

    /// <summary>The error of a response that failed before it had given anything.</summary>
    public static ResponseFault Of(ResponseError error) => error.Code switch
    {
        "server_error" or ResponseErrors.Interrupted => new ResponseFault(500, "server_error", error.Message, null, error.Code),
        "too_many_requests" => new ResponseFault(429, "too_many_requests", error.Message, null, error.Code),
        InvalidRequest => new ResponseFault(400, InvalidRequest, error.Message, null, error.Code),
        _ => new ResponseFault(500, "model_error", error.Message, null, error.Code),
    };

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
