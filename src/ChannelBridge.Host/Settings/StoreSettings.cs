using ChannelBridge.Storage.Sqlite;

namespace ChannelBridge.Host.Settings;

/// <summary>The keys of the SQLite store.</summary>
internal static class StoreSettings
{
    /// <summary>The keys.</summary>
    public static readonly SettingGroup<SqliteStoreOptions> Keys = new SettingGroup<SqliteStoreOptions>("Store:")
        .Number("QueueCapacity", 1, 1 << 20, o => o.QueueCapacity, (o, v) => o.QueueCapacity = (int)v, "Commits that may wait for the writer; more are answered `BUSY`")
        .Number("MaxGroupSize", 1, 1 << 16, o => o.MaxGroupSize, (o, v) => o.MaxGroupSize = (int)v, "Commits that share one flush to the disk at most")
        .Size("MaxGroupBytes", 1, int.MaxValue, o => o.MaxGroupBytes, (o, v) => o.MaxGroupBytes = (int)v, "Payload that shares one flush at most")
        .Number("Readers", 1, 64, o => o.Readers, (o, v) => o.Readers = (int)v, "Connections that serve reads")
        .Number("LaneCacheSize", 1, 1 << 20, o => o.LaneCacheSize, (o, v) => o.LaneCacheSize = (int)v, "Conversations whose last numbers the writer keeps in memory")
        .Size("CacheBytes", 1 << 20, int.MaxValue, o => o.CacheBytes, (o, v) => o.CacheBytes = (int)v, "The writer's page cache")
        .Duration("BusyTimeout", TimeSpan.Zero, TimeSpan.FromMinutes(5), o => o.BusyTimeout, (o, v) => o.BusyTimeout = v, "How long to wait for a lock that another program (a backup) holds");
}
