using System.IO.Enumeration;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>
/// Counts what a plugin's data folder holds. Counting a folder with very many files takes its time, and is done so seldom then that it takes one
/// percent of it.
/// </summary>
internal sealed class DiskUse(string folder, TimeProvider time)
{
    private const int Seldom = 100;

    private static readonly EnumerationOptions Everything = new()
    {
        RecurseSubdirectories = true,
        // Links lead elsewhere, and what another user's process keeps for itself can't be seen.
        AttributesToSkip = FileAttributes.ReparsePoint,
        IgnoreInaccessible = true,
    };

    private DateTimeOffset _next;
    private long _bytes;

    /// <summary>What was counted last.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Counts when it is time to.</summary>
    /// <param name="now">Also when it isn't.</param>
    public long Count(bool now = false)
    {
        if (!now && time.GetUtcNow() < _next) return Bytes;
        var begun = time.GetTimestamp();
        long bytes = 0;
        try
        {
            foreach (var length in new FileSystemEnumerable<long>(folder, static (ref entry) => entry.IsDirectory ? 0 : entry.Length, Everything)) bytes += length;
        }
        catch (IOException)
        {
            // It is being changed, or isn't there: what was seen counts.
        }

        Volatile.Write(ref _bytes, bytes);
        _next = time.GetUtcNow() + (time.GetElapsedTime(begun) * Seldom);
        return bytes;
    }
}
