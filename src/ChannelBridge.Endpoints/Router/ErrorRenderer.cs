using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Protocol.Json;
using ChannelBridge.Protocol.JsonRpc;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Endpoints.Router;

/// <summary>Writes one error in each dialect: the same code, whatever the door.</summary>
internal static class ErrorRenderer
{
    /// <summary>Writes a failed OpenClaw response.</summary>
    /// <param name="output">Emptied first.</param>
    /// <param name="id">The id as raw JSON text, or empty.</param>
    /// <param name="error">The error.</param>
    /// <param name="legacy">True to repeat the text in <c>payload.error</c>, for methods with <c>LegacyErrors</c>.</param>
    public static void WriteOpenClaw(OutgoingMessage output, ReadOnlySpan<byte> id, BridgeException error, bool legacy)
    {
        output.Clear();
        OpenClawFrameWriter.WriteError(output, id, new OpenClawError(
            error.Code, error.Message, error.Details, error.Retryable, Milliseconds(error.RetryAfter), legacy ? error.LegacyText ?? error.Message : null));
    }

    /// <summary>Writes a failed JSON-RPC response.</summary>
    public static void WriteJsonRpc(OutgoingMessage output, JsonRpcId id, BridgeException error) => WriteJsonRpc(output, id, NumberOf(error.Code), error);

    /// <summary>Writes a failed JSON-RPC response with a numeric code of its own.</summary>
    public static void WriteJsonRpc(OutgoingMessage output, JsonRpcId id, int code, BridgeException error)
    {
        var data = new JsonObject { ["code"] = error.Code, ["retryable"] = error.Retryable };
        if (Milliseconds(error.RetryAfter) is { } wait) data["retryAfterMs"] = wait;
        if (error.Details is { } details) data["details"] = details.DeepClone();
        // For the plugin, which answers gateway clients in the words that they know.
        if (error.LegacyText is { } text) data["legacyText"] = text;
        output.Clear();
        JsonRpcWriter.WriteError(output, id, code, error.Message, data);
    }

    /// <summary>What a broken message is told.</summary>
    public static BridgeException Describe(in ProtocolError error, string prefix) => new(
        error.Fault == ProtocolFault.TooLarge ? ErrorCodes.PayloadTooLarge : ErrorCodes.InvalidRequest, prefix + error.Message);

    /// <summary>The numeric JSON-RPC code of a broken message.</summary>
    public static int JsonRpcCode(ProtocolFault fault) =>
        fault is ProtocolFault.InvalidJson or ProtocolFault.InvalidUtf8 ? JsonRpcErrorCodes.ParseError : JsonRpcErrorCodes.InvalidRequest;

    private static int NumberOf(string code) => code switch
    {
        ErrorCodes.InvalidRequest => JsonRpcErrorCodes.InvalidParams,
        ErrorCodes.Cancelled => JsonRpcErrorCodes.RequestCancelled,
        _ => JsonRpcErrorCodes.ApplicationError,
    };

    private static long? Milliseconds(TimeSpan? time) => time is { } value ? (long)Math.Ceiling(value.TotalMilliseconds) : null;
}
