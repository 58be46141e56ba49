using System.Buffers.Text;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>base64url without padding, as all bytes are written here.</summary>
internal static class Base64
{
    /// <summary>Bytes as text.</summary>
    public static string Write(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>A text of so many characters at most as bytes; null: it is none.</summary>
    public static byte[]? Read(string? text, int mostCharacters)
    {
        if (text is not { Length: > 0 } || text.Length > mostCharacters || !Base64Url.IsValid(text)) return null;
        return Base64Url.DecodeFromChars(text);
    }

    /// <summary>A text that stands for exactly so many bytes; null: it doesn't.</summary>
    public static byte[]? ReadExactly(string? text, int bytes) => Read(text, ((bytes * 4) + 2) / 3) is { } read && read.Length == bytes ? read : null;
}
