using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ChannelBridge.Plugins.Protocol;

/// <summary>
/// What goes over a socket's two streams, one item each: a letter and what belongs to it.
/// </summary>
internal static class SocketItem
{
    /// <summary>A message of text.</summary>
    public const byte Text = (byte)'t';

    /// <summary>A message of bytes.</summary>
    public const byte Binary = (byte)'b';

    /// <summary>The close: a code of two bytes, big endian, and a reason. To the plugin it says how the connection ended.</summary>
    public const byte Close = (byte)'c';

    /// <summary>From the plugin: it knows who the client is, a name.</summary>
    public const byte Known = (byte)'k';

    /// <summary>From the plugin: the client failed to authenticate, as the name that follows, if any.</summary>
    public const byte Failed = (byte)'f';

    /// <summary>The largest item: the largest message that an endpoint may be given, and its letter.</summary>
    public const int MaxBytes = (16 * 1024 * 1024) + 1;

    /// <summary>Makes an item of a letter and its content.</summary>
    public static ReadOnlyMemory<byte> Write(ArrayBufferWriter<byte> buffer, byte letter, ReadOnlySpan<byte> content)
    {
        buffer.ResetWrittenCount();
        buffer.Write([letter]);
        buffer.Write(content);
        return buffer.WrittenMemory;
    }

    /// <summary>Makes a close.</summary>
    public static ReadOnlyMemory<byte> WriteClose(ArrayBufferWriter<byte> buffer, int code, string reason)
    {
        Span<byte> number = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(number, (ushort)Math.Clamp(code, 0, ushort.MaxValue));
        return Write(buffer, Close, [.. number, .. Encoding.UTF8.GetBytes(reason)]);
    }

    /// <summary>Reads what follows the letter of a close.</summary>
    public static (int Code, string Reason) ReadClose(ReadOnlySpan<byte> content) => content.Length < 2
        ? (1000, "")
        : (BinaryPrimitives.ReadUInt16BigEndian(content), Encoding.UTF8.GetString(content[2..]));
}
