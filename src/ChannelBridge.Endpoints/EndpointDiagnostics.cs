using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Endpoints.Connections;

namespace ChannelBridge.Endpoints;

/// <summary>The section <c>doors</c>: how many clients, how busy, how far behind.</summary>
internal sealed class EndpointDiagnostics(EndpointRuntime runtime) : IDiagnosticsSource
{
    /// <inheritdoc/>
    public string Section => "doors";

    /// <inheritdoc/>
    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var limits = runtime.Limits;
        var doors = new JsonObject();
        var requests = 0;
        long buffered = 0;
        foreach (var group in runtime.Connections.All.GroupBy(connection => $"{connection.Origin.Door.ToString().ToLowerInvariant()}/{connection.Dialect}"))
        {
            doors[group.Key] = group.Count();
            requests += group.Sum(connection => connection.RequestsInFlight);
            buffered += group.Sum(connection => connection.BufferedBytes);
        }

        return ValueTask.FromResult(new JsonObject
        {
            ["connections"] = runtime.Connections.Count,
            ["unauthenticated"] = runtime.Connections.Unauthenticated,
            ["limit"] = limits.MaxConnections,
            ["requestsInFlight"] = requests,
            ["bufferedBytes"] = buffered,
            ["busiestConnection"] = new JsonObject
            {
                ["requestsInFlight"] = runtime.Connections.All.Max(connection => (int?)connection.RequestsInFlight) ?? 0,
                ["requestsLimit"] = limits.MaxRequestsInFlight,
                ["bufferedBytes"] = runtime.Connections.All.Max(connection => (long?)connection.BufferedBytes) ?? 0,
                ["bufferedBytesLimit"] = limits.MaxBufferedBytes,
            },
            ["byDoor"] = doors,
        });
    }
}
