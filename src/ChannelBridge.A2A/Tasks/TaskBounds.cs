namespace ChannelBridge.A2A;

/// <summary>How large a task may become.</summary>
public sealed record TaskBounds
{
    /// <summary>What is usual.</summary>
    public static TaskBounds Default { get; } = new();

    /// <summary>Messages of the history; the oldest go first.</summary>
    public int HistoryMessages { get; init; } = 200;

    /// <summary>Bytes of text of the history; the oldest messages go first.</summary>
    public int HistoryBytes { get; init; } = 1024 * 1024;

    /// <summary>Bytes of all artifacts. More isn't taken.</summary>
    public long ArtifactBytes { get; init; } = 32L * 1024 * 1024;
}
