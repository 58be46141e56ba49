using System.Buffers.Binary;
using System.Text;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>Texts as the bytes that are signed: each with its length before it, so that no text can reach into its neighbour.</summary>
internal static class Canonical
{
    /// <summary>The bytes of some texts, in their order.</summary>
    public static byte[] Of(params ReadOnlySpan<string> parts)
    {
        var length = 0;
        foreach (var part in parts) length += sizeof(int) + Encoding.UTF8.GetByteCount(part);
        var bytes = new byte[length];
        var at = 0;
        foreach (var part in parts)
        {
            var written = Encoding.UTF8.GetBytes(part, bytes.AsSpan(at + sizeof(int)));
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at), written);
            at += sizeof(int) + written;
        }

        return bytes;
    }
}
