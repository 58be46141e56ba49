using System.Diagnostics.Metrics;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The gauges of inbox, lanes, turns and outbox, read when somebody collects them. Each host in a process has its own, which go when it stops.
/// </summary>
internal sealed class MessagingGauges : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public MessagingGauges(Backlogs backlogs, TurnScheduler turns, Outbox outbox)
    {
        _meter.CreateObservableGauge("channelbridge.inbox.pending", () => backlogs.InboxPending, "{message}", "Messages without a finished turn.");
        _meter.CreateObservableGauge("channelbridge.outbox.pending", () => backlogs.OutboxPending, "{message}", "Messages to bridges that aren't settled.");
        _meter.CreateObservableGauge("channelbridge.outbox.in_flight", () => outbox.Outside, "{message}", "Messages that were pushed and have no final receipt yet.");
        _meter.CreateObservableGauge(
            "channelbridge.outbox.dead", () => backlogs.All.Sum(account => Backlogs.Shown(ref account.Counter.OutboxDead)), "{message}", "Dead letters.");
        _meter.CreateObservableGauge("channelbridge.lanes.active", () => Cursors(turns.ActiveLanes, outbox.ActiveLanes), "{lane}", "Lanes with work in memory, by cursor.");
        _meter.CreateObservableGauge("channelbridge.lanes.memory", () => Cursors(turns.MemoryUsed, outbox.Memory.Used), "By", "Messages held in lanes, by cursor.");
        _meter.CreateObservableGauge(
            "channelbridge.lanes.deepest", () => Cursors(turns.Deepest()?.Depth ?? 0, outbox.Deepest()?.Depth ?? 0), "{message}",
            "Messages that the fullest lane in memory is known to hold, by cursor.");
        _meter.CreateObservableGauge("channelbridge.lanes.full", () => turns.Bound.FullCount, "{lane}", "Lanes whose inbox is at its bound.");
        _meter.CreateObservableGauge(
            "channelbridge.turns.waiting",
            () => turns.Waiting.Select(line => new Measurement<int>(line.Waiting, new KeyValuePair<string, object?>("channelbridge.agent", line.Agent))),
            "{lane}", "Lanes that stand in line for an agent.");
    }

    public void Dispose() => _meter.Dispose();

    private static IEnumerable<Measurement<long>> Cursors(long turns, long pushes) =>
    [
        new(turns, new KeyValuePair<string, object?>("channelbridge.cursor", "turns")),
        new(pushes, new KeyValuePair<string, object?>("channelbridge.cursor", "pushes")),
    ];
}
