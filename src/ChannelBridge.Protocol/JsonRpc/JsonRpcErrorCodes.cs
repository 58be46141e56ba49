namespace ChannelBridge.Protocol.JsonRpc;

/// <summary>The numeric error codes of JSON-RPC 2.0, and the one that carries the product's own codes.</summary>
public static class JsonRpcErrorCodes
{
    /// <summary>The message is not JSON.</summary>
    public const int ParseError = -32700;

    /// <summary>JSON, but not a request.</summary>
    public const int InvalidRequest = -32600;

    /// <summary>No such method.</summary>
    public const int MethodNotFound = -32601;

    /// <summary>The parameters don't fit the method.</summary>
    public const int InvalidParams = -32602;

    /// <summary>A fault of the JSON-RPC layer of the peer.</summary>
    public const int InternalError = -32603;

    /// <summary>The call was cancelled. LSP's code, which StreamJsonRpc and vscode-jsonrpc turn into their own cancellation.</summary>
    public const int RequestCancelled = -32800;

    /// <summary>Every other error; <c>data.code</c> says which.</summary>
    public const int ApplicationError = -32000;
}
