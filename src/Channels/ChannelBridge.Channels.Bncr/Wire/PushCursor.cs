using System.Buffers.Binary;
using System.Buffers.Text;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>
/// The opaque mark of a push: where a client that keeps it has got to. It names the store, so that a cursor of another store is noticed; what is
/// unacked is pushed again whatever the cursor says.
/// </summary>
/// <param name="Store">The store that the message is in.</param>
/// <param name="MessageId">The message.</param>
/// <param name="Seq">Its number in its lane.</param>
/// <param name="AcceptedAt">When it was accepted (Unix ms); 0 in a cursor of an earlier version.</param>
internal readonly record struct PushCursor(Guid Store, Guid MessageId, long Seq, long AcceptedAt)
{
    public const int MaxLength = 68;
    private const byte First = 1;
    private const byte Version = 2;
    private const int FirstSize = 1 + 16 + 16 + 8;
    private const int Size = FirstSize + 8;

    public static PushCursor Of(PushItem item, Guid store) => new(store, item.Id, item.Seq, item.CreatedAt);

    /// <summary>Writes the text form; returns its length.</summary>
    public int Write(Span<byte> utf8)
    {
        Span<byte> raw = stackalloc byte[Size];
        raw[0] = Version;
        Store.TryWriteBytes(raw[1..], bigEndian: true, out _);
        MessageId.TryWriteBytes(raw[17..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(raw[33..], Seq);
        BinaryPrimitives.WriteInt64BigEndian(raw[FirstSize..], AcceptedAt);
        return Base64Url.EncodeToUtf8(raw, utf8);
    }

    public override string ToString()
    {
        Span<byte> utf8 = stackalloc byte[MaxLength];
        return System.Text.Encoding.ASCII.GetString(utf8[..Write(utf8)]);
    }

    public static bool TryParse(ReadOnlySpan<char> text, out PushCursor cursor)
    {
        cursor = default;
        Span<byte> raw = stackalloc byte[Size];
        if (text.Length > MaxLength || !Base64Url.IsValid(text, out var length) || length is not (Size or FirstSize)) return false;
        if (!Base64Url.TryDecodeFromChars(text, raw, out _) || raw[0] != (length == Size ? Version : First)) return false;
        cursor = new PushCursor(
            new Guid(raw[1..17], bigEndian: true), new Guid(raw[17..33], bigEndian: true), BinaryPrimitives.ReadInt64BigEndian(raw[33..]),
            length == Size ? BinaryPrimitives.ReadInt64BigEndian(raw[FirstSize..]) : 0);
        return true;
    }
}
