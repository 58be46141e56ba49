namespace ChannelBridge.A2A.Server;

/// <summary>An event that many readers get: it is written once for each dialect that somebody reads, however many read it.</summary>
public sealed class FeedEvent(StreamItem item)
{
    private byte[]? _current;
    private byte[]? _old;
    private byte[]? _oldRest;

    /// <summary>The event.</summary>
    public StreamItem Item => item;

    /// <summary>The event in a dialect. The array is shared: read it only.</summary>
    public ReadOnlyMemory<byte> Bytes(A2ADialect dialect)
    {
        ArgumentNullException.ThrowIfNull(dialect);
        ref var kept = ref _current;
        if (dialect == A2ADialect.V03) kept = ref _old;
        else if (dialect == A2ADialect.V03Rest) kept = ref _oldRest;
        // Two readers may write it at once; both have written the same.
        return Volatile.Read(ref kept) ?? (kept = dialect.Item.ToBytes(item));
    }
}
