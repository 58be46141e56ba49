using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.rpc.call</c>.</summary>
internal sealed class RpcCallParams
{
    /// <summary>The account whose primary client is called; blank means <c>Primary</c>.</summary>
    public string? AccountId { get; set; }

    /// <summary>The client's method. Required.</summary>
    public string? Method { get; set; }

    /// <summary>Its arguments; absent means <c>{}</c>.</summary>
    public JsonElement? Args { get; set; }

    /// <summary>How long to wait, 1…300,000; absent means the setting's time (15 s).</summary>
    public long? TimeoutMs { get; set; }
}

/// <summary>Result of <c>bncr.rpc.call</c>: what the client answered.</summary>
internal sealed record RpcCallResult
{
    /// <summary>Whether the client's method succeeded.</summary>
    public required bool Ok { get; init; }

    public required string AccountId { get; init; }

    public required string RequestId { get; init; }

    public required string Method { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Result { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Error { get; init; }
}

/// <summary>The event <c>rpc.request</c>.</summary>
internal sealed record RpcRequestEvent(string RequestId, string Method, JsonElement Args, long Ts);

/// <summary>Parameters of <c>bncr.rpc.response</c>.</summary>
internal sealed class RpcResponseParams : LeaseParams
{
    /// <summary>The request's id. Required.</summary>
    public string? RequestId { get; set; }

    /// <summary>True: <c>result</c> counts; else <c>error</c> does.</summary>
    public bool? Ok { get; set; }

    public JsonElement? Result { get; set; }

    public JsonElement? Error { get; set; }
}

/// <summary>Result of <c>bncr.rpc.response</c>.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="Consumed">False: nobody waits for it (answered before, timed out, or asked of another connection).</param>
/// <param name="RequestId">The request's id.</param>
internal sealed record RpcResponseResult(bool Ok, bool Consumed, string RequestId);
