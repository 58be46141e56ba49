using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using ChannelBridge.Storage.Postgres.Writing;

namespace ChannelBridge.Storage.Postgres;

/// <summary>What the store tells OpenTelemetry, under the same names as the SQLite store. None of them is part of the semantic conventions.</summary>
internal static class Telemetry
{
    /// <summary>The name of source and meter.</summary>
    public const string Name = "ChannelBridge.Storage.Postgres";

    /// <summary>The activities: opening, sweeping.</summary>
    public static readonly ActivitySource Source = new(Name);

    /// <summary>Commits that shared one transaction.</summary>
    public static readonly Histogram<int> GroupSize;

    /// <summary>How long a transaction took, with its round trip.</summary>
    public static readonly Histogram<double> CommitDuration;

    /// <summary>Commits refused because the queue was full.</summary>
    public static readonly Counter<long> Refused;

    /// <summary>Commits that failed in the store.</summary>
    public static readonly Counter<long> Failures;

    private static readonly Meter Meter = new(Name);
    private static readonly ConcurrentDictionary<PostgresWriter, byte> Writers = new();

    static Telemetry()
    {
        GroupSize = Meter.CreateHistogram(
            "channelbridge.store.group.size",
            "{commit}",
            "Commits that shared one transaction.",
            null,
            new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] });
        CommitDuration = Meter.CreateHistogram(
            "channelbridge.store.commit.duration",
            "s",
            "How long a transaction took, with its round trip.",
            null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] });
        Refused = Meter.CreateCounter<long>("channelbridge.store.refused", "{commit}", "Commits refused because the queue was full.");
        Failures = Meter.CreateCounter<long>("channelbridge.store.failures", "{commit}", "Commits that failed in the store.");
        Meter.CreateObservableGauge(
            "channelbridge.store.queue.length", () => Writers.Keys.Sum(w => w.QueueLength), "{commit}", "Commits that wait for the writer.");
    }

    /// <summary>Counts a writer's queue.</summary>
    public static void Add(PostgresWriter writer) => Writers.TryAdd(writer, 0);

    /// <summary>Counts it no more.</summary>
    public static void Remove(PostgresWriter writer) => Writers.TryRemove(writer, out _);
}
