namespace ChannelBridge.Storage.Common;

/// <summary>How much new room a test write asks for.</summary>
internal static class ProbeSize
{
    /// <summary>While commits succeed: about what a group of messages takes.</summary>
    public const int Usual = 16 * 1024;

    /// <summary>While commits fail: what would let them succeed must be there, not only what a small write finds.</summary>
    public const int Least = 1024 * 1024;

    /// <summary>The most, whatever failed.</summary>
    public const int Most = 8 * 1024 * 1024;
}
