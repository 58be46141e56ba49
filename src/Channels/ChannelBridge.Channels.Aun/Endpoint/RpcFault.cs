using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>An error as clients of the protocol read it.</summary>
/// <param name="code">The code.</param>
/// <param name="message">What is wrong; nothing of what was sent but names.</param>
internal sealed class RpcFault(int code, string message) : Exception(message)
{
    public const int ParseError = -32700;
    public const int InvalidRequest = -32600;
    public const int MethodNotFound = -32601;
    public const int InvalidParams = -32602;
    public const int Failed = -32603;
    public const int NoCommonVersion = -32000;
    public const int NotConnected = -32013;
    public const int Validation = 4000;
    public const int BadToken = 4001;
    public const int BadNonce = 4010;
    public const int Forbidden = 4030;
    public const int TooFast = 4290;
    public const int Internal = 4500;

    /// <summary>The code.</summary>
    public int Code => code;

    /// <summary>More for programs, or null.</summary>
    public JsonObject? Details { get; init; }

    /// <summary>The close code with which the connection ends after the error; null: it goes on.</summary>
    public int? Close { get; init; }

    /// <summary>An error of the house in these terms.</summary>
    public static RpcFault Of(BridgeException fault) => new(fault.Code == ErrorCodes.InvalidRequest ? InvalidParams : Failed, fault.Message)
    {
        Details = new JsonObject
        {
            ["code"] = fault.Code,
            ["retryable"] = fault.Retryable,
            ["retry_after_ms"] = fault.RetryAfter is { } wait ? (long)wait.TotalMilliseconds : null,
        },
    };
}
