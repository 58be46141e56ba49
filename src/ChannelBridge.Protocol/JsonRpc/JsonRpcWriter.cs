using System.Buffers;
using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Protocol.JsonRpc;

/// <summary>Writes JSON-RPC 2.0 messages. Payloads are copied as they are: they must be valid JSON.</summary>
public static class JsonRpcWriter
{
    /// <summary>The end of every message that was begun with <see cref="BeginResult"/>.</summary>
    public static ReadOnlySpan<byte> End => "}"u8;

    /// <summary>Writes a request.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="id">The id.</param>
    /// <param name="method">The method's name.</param>
    /// <param name="parameters">One JSON object; empty means <c>{}</c>.</param>
    public static void WriteRequest(IBufferWriter<byte> output, long id, string method, ReadOnlySpan<byte> parameters)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        Span<byte> text = stackalloc byte[20];
        Utf8Formatter.TryFormat(id, text, out var length);
        output.Write(text[..length]);
        output.Write(",\"method\":"u8);
        WriteCall(output, method, parameters);
    }

    /// <summary>Writes a notification; events are notifications whose method is the event's name.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="method">The method's name.</param>
    /// <param name="parameters">One JSON value; empty means <c>{}</c>.</param>
    public static void WriteNotification(IBufferWriter<byte> output, string method, ReadOnlySpan<byte> parameters)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write("{\"jsonrpc\":\"2.0\",\"method\":"u8);
        WriteCall(output, method, parameters);
    }

    /// <summary>Writes an answer up to the place of its result; write one JSON value and <see cref="End"/> after it.</summary>
    public static void BeginResult(IBufferWriter<byte> output, JsonRpcId id)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(id.IsNone ? "null"u8 : id.Raw.Span);
        output.Write(",\"result\":"u8);
    }

    /// <summary>Writes an answer with an error.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="id">The request's id; <see cref="JsonRpcId.Null"/> when it is unknown.</param>
    /// <param name="code">One of <see cref="JsonRpcErrorCodes"/>.</param>
    /// <param name="message">For people.</param>
    /// <param name="data">For programs, or null.</param>
    public static void WriteError(IBufferWriter<byte> output, JsonRpcId id, int code, string message, JsonObject? data)
    {
        ArgumentNullException.ThrowIfNull(output);
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        writer.WriteString("jsonrpc"u8, "2.0"u8);
        writer.WritePropertyName("id"u8);
        writer.WriteRawValue(id.IsNone ? "null"u8 : id.Raw.Span, skipInputValidation: true);
        writer.WriteStartObject("error"u8);
        writer.WriteNumber("code"u8, code);
        writer.WriteString("message"u8, message);
        if (data is not null)
        {
            writer.WritePropertyName("data"u8);
            data.WriteTo(writer);
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteCall(IBufferWriter<byte> output, string method, ReadOnlySpan<byte> parameters)
    {
        JsonText.WriteQuoted(output, method);
        output.Write(",\"params\":"u8);
        output.Write(parameters.IsEmpty ? "{}"u8 : parameters);
        output.Write(End);
    }
}
