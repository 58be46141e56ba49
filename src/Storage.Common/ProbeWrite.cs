using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Common;

/// <summary>Commits a test write, to see whether the store can be written.</summary>
internal sealed class ProbeWrite : StoreWrite
{
    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }

    /// <summary>How much new room it asks the disk for.</summary>
    public required int Bytes { get; init; }

    /// <summary>What the test write of a group asked for when there is nothing else in it, or -1.</summary>
    public static int Only(IReadOnlyList<CommitUnit> group)
    {
        var bytes = -1;
        for (var i = 0; i < group.Count; i++)
        {
            if (group[i].Single is not ProbeWrite probe) return -1;
            bytes = Math.Max(bytes, probe.Bytes);
        }

        return bytes;
    }
}
