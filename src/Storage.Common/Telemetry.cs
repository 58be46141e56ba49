using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Common;

/// <summary>
/// What a store tells OpenTelemetry: the same names for each engine, under a source and a meter that are called as its assembly. None of these names is
/// part of the semantic conventions.
/// </summary>
internal static class Telemetry
{
    /// <summary>The name of source and meter.</summary>
    public static readonly string Name = typeof(Telemetry).Assembly.GetName().Name!;

    /// <summary>The activities: opening, sweeping.</summary>
    public static readonly ActivitySource Source = new(Name);

    /// <summary>Commits that shared one transaction.</summary>
    public static readonly Histogram<int> GroupSize;

    /// <summary>How long a transaction took, until it was durable.</summary>
    public static readonly Histogram<double> CommitDuration;

    /// <summary>Commits refused because the queue was full.</summary>
    public static readonly Counter<long> Refused;

    /// <summary>Commits that failed in the store.</summary>
    public static readonly Counter<long> Failures;

    private static readonly Meter Meter = new(Name);
    private static readonly ConcurrentDictionary<object, Func<int>> Queues = new();
    private static readonly ConcurrentDictionary<SpaceGauge, byte> Spaces = new();

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
            "How long a transaction took, until it was durable.",
            null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] });
        Refused = Meter.CreateCounter<long>("channelbridge.store.refused", "{commit}", "Commits refused because the queue was full.");
        Failures = Meter.CreateCounter<long>("channelbridge.store.failures", "{commit}", "Commits that failed in the store.");
        Meter.CreateObservableGauge(
            "channelbridge.store.queue.length", () => Queues.Values.Sum(length => length()), "{commit}", "Commits that wait for the writer.");
        Meter.CreateObservableGauge(
            "channelbridge.store.size",
            () => Measure(
                space => [("data", space.DataBytes), ("log", space.LogBytes), ("free", space.FreeBytes), ("disk.free", space.DiskFreeBytes)], "channelbridge.store.part"),
            "By",
            "Bytes of the store: its data, its log, what is free inside the data, and what is free on its disk.");
        Meter.CreateObservableGauge(
            "channelbridge.store.rows",
            () => Measure(
                space =>
                [
                    ("inbox", space.InboxRows), ("outbox", space.OutboxRows), ("record", space.RecordRows), ("log", space.LogRows),
                    ("dedupe_key", space.DedupeKeys), ("dead_letter", space.DeadLetters),
                ],
                "channelbridge.store.kind"),
            "{row}",
            "Rows of the store by kind.");
    }

    /// <summary>Tells a store's space.</summary>
    public static void Add(SpaceGauge space) => Spaces.TryAdd(space, 0);

    /// <summary>Tells it no more.</summary>
    public static void Remove(SpaceGauge space) => Spaces.TryRemove(space, out _);

    /// <summary>Counts a writer's queue.</summary>
    public static void Add(object writer, Func<int> queueLength) => Queues.TryAdd(writer, queueLength);

    /// <summary>Counts it no more.</summary>
    public static void Remove(object writer) => Queues.TryRemove(writer, out _);

    private static List<Measurement<long>> Measure(Func<StoreSpace, (string Name, long? Value)[]> parts, string tag)
    {
        var sums = new Dictionary<string, long>();
        foreach (var space in Spaces.Keys.Select(gauge => gauge.Last()).OfType<StoreSpace>())
        {
            foreach (var (name, value) in parts(space))
            {
                if (value is { } known) sums[name] = sums.GetValueOrDefault(name) + known;
            }
        }

        return [.. sums.Select(sum => new Measurement<long>(sum.Value, KeyValuePair.Create(tag, (object?)sum.Key)))];
    }
}
