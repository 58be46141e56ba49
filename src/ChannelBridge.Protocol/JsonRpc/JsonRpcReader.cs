using System.Text.Json;
using System.Text.Unicode;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Protocol.JsonRpc;

/// <summary>Reads JSON-RPC 2.0 messages without building a DOM. Source of the rules: jsonrpc.org/specification.</summary>
public static class JsonRpcReader
{
    /// <summary>
    /// Reads one message.
    /// </summary>
    /// <param name="bytes">The whole message; the parts of <paramref name="message"/> are slices of it.</param>
    /// <param name="limits">Bounds on its shape.</param>
    /// <param name="message">The message. After a failure only its id is meaningful, where one could be recovered.</param>
    /// <param name="error">Why it was refused.</param>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, JsonLimits limits, out JsonRpcMessage message, out ProtocolError error)
    {
        ArgumentNullException.ThrowIfNull(limits);
        try
        {
            if (!Utf8.IsValid(bytes.Span))
                error = new ProtocolError(ProtocolFault.InvalidUtf8, "the message is not UTF-8");
            else if (Read(bytes, limits, out message, out error))
                return true;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: half of a surrogate pair in a name.
            error = new ProtocolError(ProtocolFault.InvalidJson, "the message is not one JSON value");
        }

        // A number may stand in for the id of a broken message; an id of an illegal type may not.
        var id = MessageIdScanner.Find(bytes.Span);
        message = new JsonRpcMessage { Id = id.Length > limits.MaxIdBytes ? default : new JsonRpcId(id) };
        return false;
    }

    /// <summary>True when the message is a batch: its first character is <c>[</c>.</summary>
    public static bool IsBatch(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            if (b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n') continue;
            return b == '[';
        }

        return false;
    }

    /// <summary>Takes a batch apart; each item is then read by itself, so that one bad item costs the others nothing.</summary>
    /// <param name="bytes">The whole batch.</param>
    /// <param name="limits">Bounds; those on counts hold for each item.</param>
    /// <param name="maxItems">The most items.</param>
    /// <param name="items">The raw items, slices of <paramref name="bytes"/>.</param>
    /// <param name="error">Why the batch as a whole was refused: not JSON, empty, or too long.</param>
    public static bool TryReadBatch(
        ReadOnlyMemory<byte> bytes, JsonLimits limits, int maxItems, out List<ReadOnlyMemory<byte>> items, out ProtocolError error)
    {
        ArgumentNullException.ThrowIfNull(limits);
        items = [];
        error = default;
        if (!Utf8.IsValid(bytes.Span))
        {
            error = new ProtocolError(ProtocolFault.InvalidUtf8, "the message is not UTF-8");
            return false;
        }

        try
        {
            var reader = new Utf8JsonReader(bytes.Span, new JsonReaderOptions { MaxDepth = limits.MaxDepth + 1 });
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (items.Count == maxItems)
                {
                    error = new ProtocolError(ProtocolFault.TooManyMembers, $"the batch has more than {maxItems} items");
                    return false;
                }

                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                items.Add(bytes[start..(int)reader.BytesConsumed]);
            }

            reader.Read();
        }
        catch (JsonException)
        {
            error = new ProtocolError(ProtocolFault.InvalidJson, "the batch is not one JSON value");
            return false;
        }

        if (items.Count > 0) return true;
        error = new ProtocolError(ProtocolFault.InvalidMessage, "the batch is empty");
        return false;
    }

    private static bool Read(ReadOnlyMemory<byte> bytes, JsonLimits limits, out JsonRpcMessage message, out ProtocolError error)
    {
        var guard = new JsonGuard(limits);
        try
        {
            return Read(bytes, limits, ref guard, out message, out error);
        }
        finally
        {
            guard.Dispose();
        }
    }

    private static bool Read(
        ReadOnlyMemory<byte> bytes, JsonLimits limits, ref JsonGuard guard, out JsonRpcMessage message, out ProtocolError error)
    {
        message = default;
        var reader = new Utf8JsonReader(bytes.Span, JsonGuard.ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return Invalid("a message is a JSON object", out error);
        if (!guard.EnterObject(reader, out error)) return false;

        ReadOnlyMemory<byte> id = default, method = default, parameters = default, result = default, fault = default, trace = default;
        var version = false;
        var parametersToken = JsonTokenType.None;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!guard.Name(ref reader, out error)) return false;
            var member = Recognise(ref reader);
            reader.Read();
            var token = reader.TokenType;
            var start = (int)reader.TokenStartIndex;
            if (member == Member.Version) version = token == JsonTokenType.String && reader.ValueTextEquals("2.0"u8);
            if (member == Member.Method)
            {
                if (token != JsonTokenType.String) return Invalid("method must be a string", out error);
                method = Text(bytes, ref reader);
            }
            else if (member == Member.TraceParent && token == JsonTokenType.String)
            {
                trace = Text(bytes, ref reader);
            }

            if (!guard.SkipValue(ref reader, out error)) return false;
            var value = bytes[start..(int)reader.BytesConsumed];
            switch (member)
            {
                case Member.Id:
                    if (!JsonRpcId.IsLegal(token)) return Invalid("id must be a string, a number or null", out error);
                    if (value.Length > limits.MaxIdBytes) return Invalid($"id is longer than {limits.MaxIdBytes} bytes", out error);
                    id = value;
                    break;
                case Member.Parameters:
                    parameters = value;
                    parametersToken = token;
                    break;
                case Member.Result:
                    result = value;
                    break;
                case Member.Error:
                    if (token == JsonTokenType.StartObject) fault = value;
                    else if (token != JsonTokenType.Null) return Invalid("error must be an object", out error);
                    break;
            }
        }

        // Anything after the root object makes this throw.
        reader.Read();
        if (!version) return Invalid("jsonrpc must be \"2.0\"", out error);
        if (!method.IsEmpty && (!result.IsEmpty || !fault.IsEmpty)) return Invalid("a message has either a method or a result", out error);
        if (!method.IsEmpty && !NormalizeParameters(ref parameters, parametersToken, out error)) return false;
        if (method.IsEmpty && ((result.IsEmpty && fault.IsEmpty) || id.IsEmpty))
            return Invalid("a message needs a method, or an id with a result or an error", out error);

        message = new JsonRpcMessage
        {
            Kind = !method.IsEmpty
                ? id.IsEmpty ? JsonRpcMessageKind.Notification : JsonRpcMessageKind.Request
                : fault.IsEmpty ? JsonRpcMessageKind.Result : JsonRpcMessageKind.Error,
            Id = new JsonRpcId(id),
            Method = method,
            Parameters = parameters,
            Result = result,
            Error = fault,
            TraceParent = trace,
        };
        return true;
    }

    private enum Member
    {
        Other,
        Version,
        Id,
        Method,
        Parameters,
        Result,
        Error,
        TraceParent,
    }

    private static Member Recognise(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("jsonrpc"u8) ? Member.Version
        : reader.ValueTextEquals("id"u8) ? Member.Id
        : reader.ValueTextEquals("method"u8) ? Member.Method
        : reader.ValueTextEquals("params"u8) ? Member.Parameters
        : reader.ValueTextEquals("result"u8) ? Member.Result
        : reader.ValueTextEquals("error"u8) ? Member.Error
        : reader.ValueTextEquals("traceparent"u8) ? Member.TraceParent
        : Member.Other;

    /// <summary>The string that the reader stands on: a slice of the message, or a copy when it has escapes.</summary>
    internal static ReadOnlyMemory<byte> Text(ReadOnlyMemory<byte> bytes, ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped) return bytes.Slice((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
        var copy = new byte[reader.ValueSpan.Length];
        try
        {
            return copy.AsMemory(0, reader.CopyString(copy));
        }
        catch (InvalidOperationException fault)
        {
            // Half of a surrogate pair.
            throw new JsonException("a string is not text", fault);
        }
    }

    // By position or by name: what methods take is one object.
    private static bool NormalizeParameters(ref ReadOnlyMemory<byte> parameters, JsonTokenType token, out ProtocolError error)
    {
        error = default;
        switch (token)
        {
            case JsonTokenType.StartObject:
                return true;
            case JsonTokenType.None or JsonTokenType.Null:
                parameters = default;
                return true;
            case JsonTokenType.StartArray:
                var reader = new Utf8JsonReader(parameters.Span, JsonGuard.ReaderOptions);
                reader.Read();
                reader.Read();
                if (reader.TokenType == JsonTokenType.EndArray)
                {
                    parameters = default;
                    return true;
                }

                if (reader.TokenType != JsonTokenType.StartObject) break;
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                var item = parameters[start..(int)reader.BytesConsumed];
                reader.Read();
                if (reader.TokenType != JsonTokenType.EndArray) break;
                parameters = item;
                return true;
        }

        return Invalid("params must be an object, or an array with one object", out error);
    }

    private static bool Invalid(string message, out ProtocolError error)
    {
        error = new ProtocolError(ProtocolFault.InvalidMessage, message);
        return false;
    }
}
