using System.Text.RegularExpressions;
using ChannelBridge.Storage.Common;

namespace ChannelBridge.Storage.Postgres;

/// <summary>Settings of the PostgreSQL store.</summary>
public sealed partial class PostgresStoreOptions : IQueueOptions
{
    /// <summary>Where the database is, e.g. <c>Host=db;Database=channelbridge;Username=bridge;Password=…</c>: Npgsql's keywords. A secret.</summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>The schema that holds the tables; made when it doesn't exist. Lower-case letters, digits and underscores, at most 63. Default <c>channelbridge</c>.</summary>
    public string Schema { get; set; } = "channelbridge";

    /// <summary>How many commits may wait for the writer, 1…1,048,576; more are refused as busy. Default 8,192.</summary>
    public int QueueCapacity { get; set; } = 8192;

    /// <summary>How many waiting commits share one transaction and one round trip at most, 1…65,536. Default 256.</summary>
    public int MaxGroupSize { get; set; } = 256;

    /// <summary>How many bytes of payload share one transaction at most, in bytes; a single larger commit still goes through. Default 4 MiB.</summary>
    public int MaxGroupBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>How many lanes' ids the writer keeps in memory, 1…1,048,576; others cost a round trip. Default 16,384.</summary>
    public int LaneCacheSize { get; set; } = 16_384;

    /// <summary>How long a statement may take before it counts as failed. Default 30 s.</summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a host that isn't heard of keeps its claims; it renews them four times as often. Longer: fewer writes, and a longer wait for the
    /// conversations of a host that died. 1 s…5 min. Default 10 s.
    /// </summary>
    public TimeSpan ClaimTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a host keeps the claim of a conversation that has nothing to do. 0…1 h. Default 10 s.</summary>
    public TimeSpan ClaimLinger { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>True when a text may be a <see cref="Schema"/>.</summary>
    public static bool IsSchemaName(string text) => SchemaName().IsMatch(text);

    /// <summary>Throws which setting is out of its range.</summary>
    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(ConnectionString);
        if (!SchemaName().IsMatch(Schema)) throw new ArgumentException("Schema must be lower-case letters, digits and underscores, at most 63.", nameof(Schema));
        InRange(QueueCapacity, 1, 1 << 20, nameof(QueueCapacity));
        InRange(MaxGroupSize, 1, 1 << 16, nameof(MaxGroupSize));
        InRange(MaxGroupBytes, 1, int.MaxValue, nameof(MaxGroupBytes));
        InRange(LaneCacheSize, 1, 1 << 20, nameof(LaneCacheSize));
        InRange((long)CommandTimeout.TotalSeconds, 1, 3600, nameof(CommandTimeout));
        InRange((long)ClaimTime.TotalMilliseconds, 1000, 300_000, nameof(ClaimTime));
        InRange((long)ClaimLinger.TotalMilliseconds, 0, 3_600_000, nameof(ClaimLinger));
    }

    private static void InRange(long value, long least, long most, string name)
    {
        if (value >= least && value <= most) return;
        throw new ArgumentOutOfRangeException(name, value, $"Must be {least} to {most}.");
    }

    [GeneratedRegex("^[a-z_][a-z0-9_]{0,62}$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SchemaName();
}
