using System.Buffers.Binary;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <summary>Dedupe keys travel as uuids: sixteen bytes, highest first.</summary>
internal static class KeyBytes
{
    /// <summary>A key as a uuid.</summary>
    public static Guid ToGuid(UInt128 key)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, key);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>A uuid as a key.</summary>
    public static UInt128 ToKey(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}
