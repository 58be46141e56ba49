namespace ChannelBridge.Channels.Bncr;

/// <summary>What an import of the existing plugin's state took over.</summary>
public sealed record BncrImportReport
{
    /// <summary>Messages that wait for their client, taken over.</summary>
    public int Queued { get; init; }

    /// <summary>Dead letters taken over.</summary>
    public int DeadLetters { get; init; }

    /// <summary>Known conversations taken over.</summary>
    public int Routes { get; init; }

    /// <summary>Messages that an earlier import had taken over; nothing was written for them.</summary>
    public int Known { get; init; }

    /// <summary>What couldn't be taken over, and why: one line each, without any message's text.</summary>
    public IReadOnlyList<string> Skipped { get; init; } = [];
}
