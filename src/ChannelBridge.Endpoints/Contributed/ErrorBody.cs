using System.Buffers;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>An error of an endpoint as its clients read it: <c>{"error":{code,message,retryable,retryAfterMs}}</c>.</summary>
internal static class ErrorBody
{
    /// <summary>Writes it.</summary>
    public static byte[] Write(BridgeException fault)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("error"u8);
            writer.WriteString("code"u8, fault.Code);
            writer.WriteString("message"u8, fault.Message);
            writer.WriteBoolean("retryable"u8, fault.Retryable);
            if (fault.RetryAfter is { } wait) writer.WriteNumber("retryAfterMs"u8, (long)Math.Ceiling(wait.TotalMilliseconds));
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The status of a code.</summary>
    public static int StatusOf(string code) => code switch
    {
        ErrorCodes.InvalidRequest => 400,
        ErrorCodes.Unauthorized => 401,
        ErrorCodes.Forbidden => 403,
        ErrorCodes.NotFound => 404,
        ErrorCodes.Conflict => 409,
        ErrorCodes.PayloadTooLarge => 413,
        ErrorCodes.RateLimited or ErrorCodes.Busy or ErrorCodes.QuotaExceeded => 429,
        ErrorCodes.Unavailable or ErrorCodes.StoreUnavailable or ErrorCodes.StoreFull or ErrorCodes.StoreReadOnly => 503,
        ErrorCodes.Timeout => 504,
        _ => 500,
    };
}
