using System.Text.Json;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.OpenClaw;

/// <summary>Reads <c>link.request</c> without a DOM: the inner parameters stay a slice of the message.</summary>
internal readonly ref struct RequestReader
{
    private RequestReader(string method, ReadOnlyMemory<byte> parameters, string connId, IReadOnlyList<string> scopes, string? identity, string? traceparent)
    {
        Method = method;
        Parameters = parameters;
        ConnId = connId;
        Scopes = scopes;
        Identity = identity;
        Traceparent = traceparent;
    }

    public string Method { get; }

    public ReadOnlyMemory<byte> Parameters { get; }

    public string ConnId { get; }

    public IReadOnlyList<string> Scopes { get; }

    public string? Identity { get; }

    public string? Traceparent { get; }

    /// <summary>Reads the parameters of <c>link.request</c>.</summary>
    /// <exception cref="BridgeException">They are none.</exception>
    public static RequestReader Read(ReadOnlyMemory<byte> message)
    {
        string? method = null, connId = null, identity = null, traceparent = null;
        var scopes = new List<string>(4);
        var parameters = ReadOnlyMemory<byte>.Empty;
        try
        {
            var reader = new Utf8JsonReader(message.Span);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw Malformed();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("method"u8)) method = String(ref reader);
                else if (reader.ValueTextEquals("connId"u8)) connId = String(ref reader);
                else if (reader.ValueTextEquals("identity"u8)) identity = String(ref reader);
                else if (reader.ValueTextEquals("traceparent"u8)) traceparent = String(ref reader);
                else if (reader.ValueTextEquals("scopes"u8)) ReadScopes(ref reader, scopes);
                else if (reader.ValueTextEquals("params"u8))
                {
                    reader.Read();
                    var start = (int)reader.TokenStartIndex;
                    if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.Null)) throw Malformed();
                    var isNull = reader.TokenType == JsonTokenType.Null;
                    reader.Skip();
                    parameters = isNull ? default : message[start..(int)reader.BytesConsumed];
                }
                else
                {
                    reader.Read();
                    reader.Skip();
                }
            }
        }
        catch (JsonException)
        {
            throw Malformed();
        }

        if (string.IsNullOrEmpty(method) || string.IsNullOrEmpty(connId)) throw Malformed();
        return new RequestReader(method, parameters, connId, scopes, identity, traceparent);
    }

    private static string? String(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Null => null,
            _ => throw Malformed(),
        };
    }

    private static void ReadScopes(ref Utf8JsonReader reader, List<string> scopes)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray) throw Malformed();
        while (reader.Read() && reader.TokenType == JsonTokenType.String) scopes.Add(reader.GetString()!);
        if (reader.TokenType != JsonTokenType.EndArray) throw Malformed();
    }

    private static BridgeException Malformed() =>
        BridgeException.Invalid("link.request: params must be {method, params, connId, scopes, …}; see docs/link.md");
}
