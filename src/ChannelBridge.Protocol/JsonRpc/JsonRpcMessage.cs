namespace ChannelBridge.Protocol.JsonRpc;

/// <summary>The kinds of JSON-RPC messages.</summary>
public enum JsonRpcMessageKind
{
    /// <summary>A method with an id: it wants an answer.</summary>
    Request,

    /// <summary>A method without an id: it gets none, not even an error.</summary>
    Notification,

    /// <summary>An answer with a result.</summary>
    Result,

    /// <summary>An answer with an error.</summary>
    Error,
}

/// <summary>One JSON-RPC message, taken apart. All parts are slices of the bytes it was read from, and live as long as they do.</summary>
public readonly struct JsonRpcMessage
{
    /// <summary>What it is.</summary>
    public JsonRpcMessageKind Kind { get; init; }

    /// <summary>The id; <see cref="JsonRpcId.None"/> for a notification.</summary>
    public JsonRpcId Id { get; init; }

    /// <summary>The method's name, UTF-8, without escapes.</summary>
    public ReadOnlyMemory<byte> Method { get; init; }

    /// <summary>The params: one JSON object, or empty. A positional array of one object is that object.</summary>
    public ReadOnlyMemory<byte> Parameters { get; init; }

    /// <summary>The result of an answer, one JSON value.</summary>
    public ReadOnlyMemory<byte> Result { get; init; }

    /// <summary>The error of an answer, one JSON object.</summary>
    public ReadOnlyMemory<byte> Error { get; init; }

    /// <summary>The root member <c>traceparent</c> (W3C), as StreamJsonRpc writes it; empty when there is none.</summary>
    public ReadOnlyMemory<byte> TraceParent { get; init; }
}
