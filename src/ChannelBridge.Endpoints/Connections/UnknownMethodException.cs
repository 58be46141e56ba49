using System.Text;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>No such method: <c>INVALID_REQUEST</c> as the gateway says it, and -32601 in JSON-RPC.</summary>
internal sealed class UnknownMethodException(string message) : BridgeException(ErrorCodes.InvalidRequest, message)
{
    private const int MaxName = 128;

    /// <summary>The error for a name.</summary>
    public static UnknownMethodException For(ReadOnlySpan<byte> name) =>
        new($"unknown method: {(name.Length <= MaxName ? Encoding.UTF8.GetString(name) : Encoding.UTF8.GetString(name[..MaxName]) + "…")}");
}
