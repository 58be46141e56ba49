using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Storage.Common;

namespace ChannelBridge.Storage.Sqlite;

/// <summary>The keys of the SQLite store.</summary>
internal static class SqliteSettings
{
    /// <summary>The keys. Where the file is, is the host's matter.</summary>
    public static readonly SettingGroup<SqliteStoreOptions> Keys = new SettingGroup<SqliteStoreOptions>("Store:")
        .WithQueue()
        .Choice<SqliteEngine>("SqliteEngine", o => o.Engine, (o, v) => o.Engine = v, "SQLite: the engine that comes with ChannelBridge, or the system's")
        .Number("Readers", 1, 64, o => o.Readers, (o, v) => o.Readers = (int)v, "SQLite: connections that serve reads")
        .Size("CacheBytes", 1 << 20, int.MaxValue, o => o.CacheBytes, (o, v) => o.CacheBytes = (int)v, "SQLite: the writer's page cache")
        .Duration("BusyTimeout", TimeSpan.Zero, TimeSpan.FromMinutes(5), o => o.BusyTimeout, (o, v) => o.BusyTimeout = v,
            "SQLite: how long to wait for a lock that another program (a backup) holds");
}
