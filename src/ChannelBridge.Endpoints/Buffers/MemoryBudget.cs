namespace ChannelBridge.Endpoints.Buffers;

/// <summary>
/// So many bytes for all connections together. Each connection has a bound of its own; a thousand connections at theirs would still be more than the
/// machine has. Only what is larger than an ordinary message is counted, so ordinary traffic never touches the shared number.
/// </summary>
internal sealed class MemoryBudget(long bytes)
{
    private long _taken;

    /// <summary>Bytes that are taken.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>True when more than half is taken: whoever can wait should.</summary>
    public bool IsScarce => Taken > bytes / 2;

    /// <summary>Takes bytes, or none when there are too few.</summary>
    public bool TryTake(long count)
    {
        if (Interlocked.Add(ref _taken, count) <= bytes) return true;
        Interlocked.Add(ref _taken, -count);
        return false;
    }

    /// <summary>Gives bytes back.</summary>
    public void Give(long count) => Interlocked.Add(ref _taken, -count);
}
