using System.Text.Json;

namespace ChannelBridge.A2A.Server;

/// <summary>One JSON-RPC request, cut out of its body: the parameters stay bytes until it is known what they are.</summary>
internal readonly struct RpcRequest
{
    /// <summary>The id as it was written; empty when there is none.</summary>
    public ReadOnlyMemory<byte> Id { get; private init; }

    public string? Method { get; private init; }

    /// <summary>The parameters, an object, or empty.</summary>
    public ReadOnlyMemory<byte> Params { get; private init; }

    /// <summary>Why it is no request, or null.</summary>
    public string? Fault { get; private init; }

    /// <summary>Reads the value that the reader stands on.</summary>
    public static RpcRequest Read(ref Utf8JsonReader reader, ReadOnlyMemory<byte> body)
    {
        if (reader.TokenType is not JsonTokenType.StartObject)
        {
            reader.Skip();
            return new RpcRequest { Fault = "A request is an object." };
        }

        ReadOnlyMemory<byte> id = default;
        ReadOnlyMemory<byte> parameters = default;
        string? method = null;
        string? fault = null;
        var version = false;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var name = reader.ValueTextEquals("jsonrpc"u8) ? 'v'
                : reader.ValueTextEquals("id"u8) ? 'i'
                : reader.ValueTextEquals("method"u8) ? 'm'
                : reader.ValueTextEquals("params"u8) ? 'p' : ' ';
            reader.Read();
            var type = reader.TokenType;
            var start = (int)reader.TokenStartIndex;
            if (name is 'v') version = type is JsonTokenType.String && reader.ValueTextEquals("2.0"u8);
            if (name is 'm' && type is JsonTokenType.String) method = reader.GetString();
            reader.Skip();
            var value = body[start..(int)reader.BytesConsumed];
            if (name is 'i')
            {
                if (type is JsonTokenType.String or JsonTokenType.Number or JsonTokenType.Null && value.Length <= 1024) id = value;
                else fault = "id is a string, a number or null.";
            }
            else if (name is 'p' && type is not JsonTokenType.Null)
            {
                if (type is JsonTokenType.StartObject) parameters = value;
                else fault ??= type is JsonTokenType.StartArray ? "params is an object, not a list." : "params is an object.";
            }
        }

        if (!version) fault = "jsonrpc must be \"2.0\".";
        else if (method is not { Length: > 0 and <= 200 }) fault ??= "method is missing.";
        return new RpcRequest { Id = id, Method = method, Params = parameters, Fault = fault };
    }
}
