using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChannelBridge.Core;

/// <summary>The instruments of this assembly. Names follow the messaging conventions of OpenTelemetry where there is one; units are UCUM.</summary>
internal static class Telemetry
{
    public const string Name = "ChannelBridge.Core";

    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    /// <summary>Messages that the inbox took (not duplicates). Our own name: semconv counts per client operation only.</summary>
    public static readonly Counter<long> InboxAccepted = Meter.CreateCounter<long>("channelbridge.inbox.accepted", "{message}", "Messages that the inbox took, duplicates aside.");

    public static readonly Counter<long> InboxDuplicates = Meter.CreateCounter<long>("channelbridge.inbox.duplicates", "{message}", "Messages that the inbox had already.");

    public static readonly Counter<long> Turns = Meter.CreateCounter<long>("channelbridge.turns", "{turn}", "Ended turns, by agent and outcome.");

    public static readonly UpDownCounter<long> TurnsRunning = Meter.CreateUpDownCounter<long>("channelbridge.turns.running", "{turn}", "Turns that run.");

    public static readonly Histogram<double> TurnDuration = Meter.CreateHistogram<double>(
        "channelbridge.turn.duration", "s", "From start to end of a turn, by agent and outcome.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600] });

    public static readonly Counter<long> OutboxAccepted =
        Meter.CreateCounter<long>("channelbridge.outbox.accepted", "{message}", "Messages to bridges that the outbox took, duplicates aside.");

    public static readonly Counter<long> Pushes = Meter.CreateCounter<long>("channelbridge.outbox.pushes", "{message}", "Pushes, by outcome.");

    public static readonly Counter<long> Settled = Meter.CreateCounter<long>("channelbridge.outbox.settled", "{message}", "Final receipts, by state.");

    public static readonly Counter<long> Transfers = Meter.CreateCounter<long>("channelbridge.transfers", "{transfer}", "Ended file transfers, by direction and state.");

    /// <summary>W3C trace context from a stored <c>traceparent</c>, or default.</summary>
    public static ActivityContext Parent(string? traceParent) =>
        traceParent is not null && ActivityContext.TryParse(traceParent, null, isRemote: true, out var context) ? context : default;
}
