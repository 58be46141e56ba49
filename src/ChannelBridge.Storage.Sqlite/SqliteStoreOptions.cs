using ChannelBridge.Storage.Common;

namespace ChannelBridge.Storage.Sqlite;

/// <summary>Where the SQLite engine comes from.</summary>
public enum SqliteEngine
{
    /// <summary>From the package; from the system only where the package's doesn't run.</summary>
    Package = 0,

    /// <summary>From the operating system.</summary>
    System = 1,
}

/// <summary>Settings of the SQLite store.</summary>
public sealed class SqliteStoreOptions : IQueueOptions
{
    /// <summary>
    /// The database file, e.g. <c>/var/lib/channelbridge/channelbridge.db</c>. It is made when it doesn't exist, readable by its owner only. Beside it
    /// live <c>-wal</c>, <c>-shm</c> and <c>.lock</c>. Put it on a local disk: network file systems break the locks that it relies on.
    /// </summary>
    public string Path { get; set; } = "channelbridge.db";

    /// <summary>Which engine is used. A process has one engine: the first store that is opened decides. Default: the package's.</summary>
    public SqliteEngine Engine { get; set; }

    /// <summary>How many commits may wait for the writer, 1…1,048,576; more are refused as busy. Default 8,192.</summary>
    public int QueueCapacity { get; set; } = 8192;

    /// <summary>How many waiting commits share one transaction and one flush to the disk at most, 1…65,536. Default 256.</summary>
    public int MaxGroupSize { get; set; } = 256;

    /// <summary>How many bytes of payload share one transaction at most, in bytes; a single larger commit still goes through. Default 4 MiB.</summary>
    public int MaxGroupBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>How many connections serve reads, 1…64. Default 4.</summary>
    public int Readers { get; set; } = 4;

    /// <summary>How many lanes the writer keeps in memory with their last numbers, 1…1,048,576; others cost a look-up. Default 16,384 (some 4 MB).</summary>
    public int LaneCacheSize { get; set; } = 16_384;

    /// <summary>
    /// How many of the newest dedupe keys are kept in memory before they move to the file in order, 1…16,777,216; up to twice as many are held, at
    /// some 40 bytes each. More of them make appends to a store of many million messages cheaper. Default 65,536.
    /// </summary>
    public int RecentKeys { get; set; } = 65_536;

    /// <summary>The writer's page cache in bytes. At least 1 MiB, default 24 MiB.</summary>
    public int CacheBytes { get; set; } = 24 * 1024 * 1024;

    /// <summary>How long to wait for a lock that another program holds on the file, e.g. a backup. Default 5 s.</summary>
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How many pages of 8 KiB the log has when it is moved into the file. Default 8,000 (64 MB): larger costs recovery time, smaller more flushes.
    /// </summary>
    internal int LogPages { get; set; } = 8000;

    /// <summary>
    /// How many commits a group has at least when it is flushed beside the writer instead of by it. Default 128: below, waking another thread costs
    /// more than it saves.
    /// </summary>
    internal int OverlapAt { get; set; } = 128;

    /// <summary>Faults to inject, for tests.</summary>
    internal SqliteFaults Faults { get; set; } = SqliteFaults.None;

    /// <summary>Throws which setting is out of its range.</summary>
    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Path);
        InRange(QueueCapacity, 1, 1 << 20, nameof(QueueCapacity));
        InRange(MaxGroupSize, 1, 1 << 16, nameof(MaxGroupSize));
        InRange(MaxGroupBytes, 1, int.MaxValue, nameof(MaxGroupBytes));
        InRange(Readers, 1, 64, nameof(Readers));
        InRange(LaneCacheSize, 1, 1 << 20, nameof(LaneCacheSize));
        InRange(RecentKeys, 1, 1 << 24, nameof(RecentKeys));
        InRange(CacheBytes, 1 << 20, int.MaxValue, nameof(CacheBytes));
        InRange((long)BusyTimeout.TotalMilliseconds, 0, int.MaxValue, nameof(BusyTimeout));
    }

    private static void InRange(long value, long least, long most, string name)
    {
        if (value >= least && value <= most) return;
        throw new ArgumentOutOfRangeException(name, value, $"Must be {least} to {most}.");
    }
}
