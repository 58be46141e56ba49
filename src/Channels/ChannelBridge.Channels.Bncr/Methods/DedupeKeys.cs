using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Channels.Bncr.Leases;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary>
/// What makes two messages the same: account, route and the bridge's message id; without one, account, route and content. The first 128 bits of a
/// SHA-256 over the parts, each behind its length, so that no two lists of parts read alike.
/// </summary>
internal static class DedupeKeys
{
    private const byte ById = 1;
    private const byte ByContent = 2;

    public static UInt128 Of(BncrAccount account, in CheckedInbound message)
    {
        var route = message.Route;
        if (message.MsgId is { } id) return Hash(ById, default, account.Key, route.Platform, route.GroupId, route.UserId, id);
        return Hash(
            ByContent,
            message.Attachment?.Content,
            account.Key,
            route.Platform,
            route.GroupId,
            route.UserId,
            message.Type,
            message.Text,
            message.TaskKey ?? "",
            message.Attachment?.FileName ?? "",
            message.Attachment?.Sha256 ?? "");
    }

    private static UInt128 Hash(byte kind, ReadOnlySpan<byte> bytes, params ReadOnlySpan<string> parts)
    {
        var size = 1;
        foreach (var part in parts) size += sizeof(int) + Encoding.UTF8.GetMaxByteCount(part.Length);
        byte[]? rented = null;
        var buffer = size <= 2048 ? stackalloc byte[size] : rented = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            buffer[0] = kind;
            var length = 1;
            foreach (var part in parts)
            {
                var written = Encoding.UTF8.GetBytes(part, buffer[(length + sizeof(int))..]);
                BinaryPrimitives.WriteInt32LittleEndian(buffer[length..], written);
                length += sizeof(int) + written;
            }

            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            if (bytes.IsEmpty)
            {
                SHA256.HashData(buffer[..length], hash);
            }
            else
            {
                using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                sha.AppendData(buffer[..length]);
                sha.AppendData(bytes);
                sha.GetHashAndReset(hash);
            }

            return BinaryPrimitives.ReadUInt128BigEndian(hash);
        }
        finally
        {
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
