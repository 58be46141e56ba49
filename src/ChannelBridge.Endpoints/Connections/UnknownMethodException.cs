using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>No such method: <c>INVALID_REQUEST</c> as the gateway says it, and -32601 in JSON-RPC.</summary>
internal sealed class UnknownMethodException(string message) : BridgeException(ErrorCodes.InvalidRequest, message)
{
    private const int MaxName = 128;
    private const int MostRead = 1024;

    /// <summary>The error for a name.</summary>
    public static UnknownMethodException For(ReadOnlySpan<byte> name) =>
        new($"unknown method: {SoundText.Cut(Encoding.UTF8.GetString(name.Length <= MostRead ? name : name[..MostRead]), MaxName, "…")}");
}
