using System.Text.Json.Nodes;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>How often an identity sealed, opened and refused, since the start of the host.</summary>
internal sealed class SealingCounts
{
    private readonly long[] _refused = new long[Enum.GetValues<SealingFault>().Length];
    private long _sealed;
    private long _opened;

    /// <summary>Messages that were sealed.</summary>
    public long Sealed => Volatile.Read(ref _sealed);

    /// <summary>Messages that were opened.</summary>
    public long Opened => Volatile.Read(ref _opened);

    /// <summary>Messages that were refused, or couldn't be sealed.</summary>
    public long Refused => _refused.Sum();

    /// <summary>Those of one reason.</summary>
    public long Of(SealingFault fault) => Volatile.Read(ref _refused[(int)fault]);

    /// <summary>One was sealed.</summary>
    public void CountSealed() => Interlocked.Increment(ref _sealed);

    /// <summary>One was opened.</summary>
    public void CountOpened() => Interlocked.Increment(ref _opened);

    /// <summary>One was refused.</summary>
    public void CountRefused(SealingFault fault) => Interlocked.Increment(ref _refused[(int)fault]);

    /// <summary>The counts for diagnostics; reasons that never occurred are left out.</summary>
    public JsonObject ToJson()
    {
        var refused = new JsonObject();
        foreach (var fault in Enum.GetValues<SealingFault>())
        {
            if (Of(fault) is > 0 and var count) refused[SealingException.Word(fault)] = count;
        }

        return new JsonObject { ["sealed"] = Sealed, ["opened"] = Opened, ["refused"] = refused };
    }
}
