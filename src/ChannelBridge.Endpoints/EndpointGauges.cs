using System.Diagnostics.Metrics;
using ChannelBridge.Endpoints.Connections;

namespace ChannelBridge.Endpoints;

/// <summary>The gauges of the connections' queues, read when somebody collects them. Each host in a process has its own, which go with it.</summary>
internal sealed class EndpointGauges : IDisposable
{
    private readonly Meter _meter = new(Telemetry.Name);

    public EndpointGauges(ConnectionRegistry connections)
    {
        _meter.CreateObservableGauge(
            "channelbridge.doors.requests.running", () => connections.All.Sum(connection => connection.RequestsInFlight), "{request}", "Running requests of all connections.");
        _meter.CreateObservableGauge(
            "channelbridge.doors.requests.running.max", () => connections.All.Max(connection => (int?)connection.RequestsInFlight) ?? 0, "{request}",
            "Running requests of the connection that has most.");
        _meter.CreateObservableGauge(
            "channelbridge.doors.buffered", () => connections.All.Sum(connection => connection.BufferedBytes), "By", "Bytes that wait for clients, of all connections.");
        _meter.CreateObservableGauge(
            "channelbridge.doors.buffered.max", () => connections.All.Max(connection => (long?)connection.BufferedBytes) ?? 0, "By",
            "Bytes that wait for the client that is furthest behind.");
    }

    public void Dispose() => _meter.Dispose();
}
