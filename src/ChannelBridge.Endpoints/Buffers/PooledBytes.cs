using System.Buffers;

namespace ChannelBridge.Endpoints.Buffers;

/// <summary>
/// Byte arrays of messages. Ordinary ones come from the shared pool; large ones are left to the collector, because a pool would keep a few of each size
/// for ever after one burst of them.
/// </summary>
internal static class PooledBytes
{
    private const int LargestPooled = 2 * 1024 * 1024;

    /// <summary>An array of at least this length.</summary>
    public static byte[] Rent(int minimum) =>
        minimum <= LargestPooled ? ArrayPool<byte>.Shared.Rent(minimum) : GC.AllocateUninitializedArray<byte>(minimum);

    /// <summary>Gives an array back.</summary>
    public static void Return(byte[] array)
    {
        if (array.Length <= LargestPooled) ArrayPool<byte>.Shared.Return(array);
    }
}
