using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ChannelBridge.Core.Access;

/// <summary>
/// Tokens by their SHA-256. The first 8 bytes of the hash find one, which tells nobody anything about a secret; the rest is compared in constant time. It never
/// changes; a change makes another one.
/// </summary>
internal sealed class TokenTable<T>
    where T : class
{
    private readonly Dictionary<ulong, (byte[] Hash, T Item)[]> _items = [];

    /// <summary>Makes a table.</summary>
    public TokenTable(IEnumerable<(byte[] Hash, T Item)> items)
    {
        foreach (var group in items.GroupBy(item => Key(item.Hash))) _items[group.Key] = [.. group];
    }

    /// <summary>The token with this hash, or null.</summary>
    public T? Find(ReadOnlySpan<byte> hash)
    {
        if (!_items.TryGetValue(Key(hash), out var found)) return null;
        T? match = null;
        foreach (var (known, item) in found)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, known)) match = item;
        }

        return match;
    }

    private static ulong Key(ReadOnlySpan<byte> hash) => BinaryPrimitives.ReadUInt64LittleEndian(hash);
}
