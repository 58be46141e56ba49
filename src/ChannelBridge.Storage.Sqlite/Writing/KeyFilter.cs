using System.Numerics;
using System.Runtime.InteropServices;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// Says which dedupe keys a part of the index surely doesn't have, without reading it: a Bloom filter whose bits for a key lie in one line of the
/// processor's cache. At its size one in a hundred unknown keys is looked for in vain.
/// </summary>
internal sealed class KeyFilter
{
    // A block is one cache line of eight words, and a key sets a bit in each of them.
    private const int BlockWords = 8;
    private const int BitsPerKey = 12;
    private const int BlockBits = BlockWords * 64;

    private readonly ulong[] _words;

    /// <summary>An empty filter.</summary>
    /// <param name="keys">For how many keys it is made; more make it say "maybe" more often.</param>
    public KeyFilter(long keys) => _words = new ulong[BlockWords * Math.Max(1, (keys * BitsPerKey + BlockBits - 1) / BlockBits)];

    private KeyFilter(ulong[] words) => _words = words;

    /// <summary>What is stored: the bits, and a checksum, because a filter with a wrong bit would let a message in twice.</summary>
    public byte[] ToBytes()
    {
        var bits = MemoryMarshal.AsBytes(_words.AsSpan());
        var bytes = new byte[bits.Length + sizeof(uint)];
        bits.CopyTo(bytes);
        BitConverter.TryWriteBytes(bytes.AsSpan(bits.Length), Checksum(_words));
        return bytes;
    }

    /// <summary>Reads what <see cref="ToBytes"/> gave; null when it can't be that.</summary>
    public static KeyFilter? From(ReadOnlySpan<byte> bytes)
    {
        var length = bytes.Length - sizeof(uint);
        if (length <= 0 || length % (BlockWords * sizeof(ulong)) != 0) return null;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes[..length]).ToArray();
        return BitConverter.ToUInt32(bytes[length..]) == Checksum(words) ? new KeyFilter(words) : null;
    }

    /// <summary>Adds a key.</summary>
    public void Add(UInt128 key)
    {
        var (block, bits) = Place(key);
        for (var word = 0; word < BlockWords; word++, bits >>= 6) _words[block + word] |= 1UL << (int)(bits & 63);
    }

    /// <summary>False when the key was never added.</summary>
    public bool MayContain(UInt128 key)
    {
        var (block, bits) = Place(key);
        for (var word = 0; word < BlockWords; word++, bits >>= 6)
        {
            if ((_words[block + word] & (1UL << (int)(bits & 63))) == 0) return false;
        }

        return true;
    }

    // Keys are hashes as a rule, but nobody has to give such.
    private (int Block, ulong Bits) Place(UInt128 key)
    {
        var mixed = Mix((ulong)key ^ Mix((ulong)(key >> 64)));
        var block = Math.BigMul(mixed, (ulong)(_words.Length / BlockWords), out _);
        return ((int)block * BlockWords, Mix(mixed));
    }

    private static uint Checksum(ulong[] words)
    {
        var sum = uint.MaxValue;
        foreach (var word in words) sum = BitOperations.Crc32C(sum, word);
        return sum;
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
