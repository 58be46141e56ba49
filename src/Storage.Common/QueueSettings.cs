using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Storage.Common;

/// <summary>What the writers of both engines are told: how much waits for them, and how much shares a flush.</summary>
internal interface IQueueOptions
{
    /// <summary>Commits that may wait.</summary>
    int QueueCapacity { get; set; }

    /// <summary>Commits that share one flush.</summary>
    int MaxGroupSize { get; set; }

    /// <summary>Payload that shares one flush, in bytes.</summary>
    int MaxGroupBytes { get; set; }

    /// <summary>Conversations whose numbers are kept in memory.</summary>
    int LaneCacheSize { get; set; }
}

/// <summary>Their keys, the same for both engines.</summary>
internal static class QueueSettings
{
    /// <summary>Adds them to an engine's keys.</summary>
    public static SettingGroup<TOptions> WithQueue<TOptions>(this SettingGroup<TOptions> keys)
        where TOptions : class, IQueueOptions, new() => keys
        .Number("QueueCapacity", 1, 1 << 20, o => o.QueueCapacity, (o, v) => o.QueueCapacity = (int)v,
            "Commits that may wait for the writer; more are answered `BUSY`")
        .Number("MaxGroupSize", 1, 1 << 16, o => o.MaxGroupSize, (o, v) => o.MaxGroupSize = (int)v, "Commits that share one flush to the disk at most")
        .Size("MaxGroupBytes", 1, int.MaxValue, o => o.MaxGroupBytes, (o, v) => o.MaxGroupBytes = (int)v, "Payload that shares one flush at most")
        .Number("LaneCacheSize", 1, 1 << 20, o => o.LaneCacheSize, (o, v) => o.LaneCacheSize = (int)v,
            "Conversations whose numbers the writer keeps in memory");
}
