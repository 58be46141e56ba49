using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>Frames of the protocol: JSON-RPC 2.0, one object in a text message.</summary>
internal static class RpcText
{
    private static readonly JsonWriterOptions Writing = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A notification.</summary>
    public static byte[] Event(string method, JsonObject parameters) =>
        Encoding.UTF8.GetBytes($$"""{"jsonrpc":"2.0","method":"{{method}}","params":{{parameters.ToJsonString(Relaxed)}}}""");

    /// <summary>A result; the id as it came.</summary>
    public static byte[] Result(ReadOnlySpan<byte> id, JsonObject result) => Result(id, Encoding.UTF8.GetBytes(result.ToJsonString(Relaxed)));

    /// <summary>A result whose text is there.</summary>
    public static byte[] Result(ReadOnlySpan<byte> id, ReadOnlySpan<byte> result)
    {
        var head = "{\"jsonrpc\":\"2.0\",\"id\":"u8;
        var middle = ",\"result\":"u8;
        var frame = new byte[head.Length + id.Length + middle.Length + result.Length + 1];
        head.CopyTo(frame);
        id.CopyTo(frame.AsSpan(head.Length));
        middle.CopyTo(frame.AsSpan(head.Length + id.Length));
        result.CopyTo(frame.AsSpan(head.Length + id.Length + middle.Length));
        frame[^1] = (byte)'}';
        return frame;
    }

    /// <summary>An error.</summary>
    public static byte[] Error(ReadOnlySpan<byte> id, RpcFault fault)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(buffer, Writing);
        writer.WriteStartObject();
        writer.WriteString("jsonrpc"u8, "2.0"u8);
        writer.WritePropertyName("id"u8);
        writer.WriteRawValue(id, skipInputValidation: true);
        writer.WriteStartObject("error"u8);
        writer.WriteNumber("code"u8, fault.Code);
        writer.WriteString("message"u8, fault.Message);
        if (fault.Details is { } details)
        {
            writer.WritePropertyName("data"u8);
            details.WriteTo(writer);
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
