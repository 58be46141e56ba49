using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace ChannelBridge.Endpoints.Buffers;

/// <summary>The form of binary messages: <c>u32 header length, big endian | JSON header | bytes</c>.</summary>
internal static class BinaryMessage
{
    private const int LengthBytes = 4;

    /// <summary>Writes one.</summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> header, ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(output.GetSpan(LengthBytes), (uint)header.Length);
        output.Advance(LengthBytes);
        output.Write(header);
        output.Write(bytes);
    }

    /// <summary>Takes one apart; false when its header is longer than the message.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> message, out ReadOnlyMemory<byte> header, out ReadOnlyMemory<byte> bytes)
    {
        header = bytes = default;
        if (message.Length < LengthBytes) return false;
        var length = BinaryPrimitives.ReadUInt32BigEndian(message.Span);
        if (length > message.Length - LengthBytes) return false;
        header = message.Slice(LengthBytes, (int)length);
        bytes = message[(LengthBytes + (int)length)..];
        return true;
    }

    /// <summary>True when the header is a JSON-RPC message; its first member says so.</summary>
    public static bool IsCall(ReadOnlySpan<byte> message) => message.Length > LengthBytes && message[LengthBytes..].StartsWith("{\"jsonrpc\""u8);

    /// <summary>The member <c>channel</c> of the header, or null when it has none or is malformed: the receiver says what is wrong with it.</summary>
    public static string? ChannelOf(ReadOnlySpan<byte> message)
    {
        if (message.Length < LengthBytes) return null;
        var length = BinaryPrimitives.ReadUInt32BigEndian(message);
        if (length > message.Length - LengthBytes) return null;
        var reader = new Utf8JsonReader(message.Slice(LengthBytes, (int)length));
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName || !reader.ValueTextEquals("channel"u8)) continue;
                return reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            }
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // Not JSON, or half a character.
        }

        return null;
    }
}
