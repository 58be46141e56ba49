using System.Numerics;

namespace ChannelBridge.Core.Transfers;

/// <summary>Which chunks of a file are there: one bit each. Not thread-safe.</summary>
internal sealed class ChunkMap
{
    private readonly ulong[] _words;

    public ChunkMap(int count)
    {
        Count = count;
        _words = new ulong[(count + 63) / 64];
    }

    /// <summary>How many chunks the file has.</summary>
    public int Count { get; }

    /// <summary>How many are there.</summary>
    public int Present { get; private set; }

    public bool IsFull => Present == Count;

    public bool this[int index] => (_words[index >> 6] & (1UL << (index & 63))) != 0;

    /// <summary>Notes a chunk; false when it was there.</summary>
    public bool Add(int index)
    {
        ref var word = ref _words[index >> 6];
        var bit = 1UL << (index & 63);
        if ((word & bit) != 0) return false;
        word |= bit;
        Present++;
        return true;
    }

    public void Clear()
    {
        Array.Clear(_words);
        Present = 0;
    }

    /// <summary>The first chunk at or after <paramref name="from"/> that is there (or isn't), or -1.</summary>
    public int Next(int from, bool present)
    {
        while (from < Count)
        {
            var word = present ? _words[from >> 6] : ~_words[from >> 6];
            word &= ulong.MaxValue << (from & 63);
            if (word != 0)
            {
                var found = (from & ~63) + BitOperations.TrailingZeroCount(word);
                return found < Count ? found : -1;
            }

            from = (from & ~63) + 64;
        }

        return -1;
    }

    /// <summary>Runs of chunks that are there (or aren't): first and last index each, in order.</summary>
    public List<(int First, int Last)> Ranges(bool present, int limit = int.MaxValue)
    {
        var ranges = new List<(int, int)>();
        for (var first = Next(0, present); first >= 0 && ranges.Count < limit;)
        {
            var end = Next(first, !present);
            ranges.Add((first, (end < 0 ? Count : end) - 1));
            first = end < 0 ? -1 : Next(end, present);
        }

        return ranges;
    }

    /// <summary>The bits, lowest first.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[(Count + 7) / 8];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)(_words[i >> 3] >> (8 * (i & 7)));
        return bytes;
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote; bits beyond the count are ignored.</summary>
    public static ChunkMap Parse(ReadOnlySpan<byte> bytes, int count)
    {
        var map = new ChunkMap(count);
        for (var i = 0; i < count && i >> 3 < bytes.Length; i++)
        {
            if ((bytes[i >> 3] & (1 << (i & 7))) != 0) map.Add(i);
        }

        return map;
    }
}
