using System.Buffers;
using System.Buffers.Binary;

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
}
