using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChannelBridge.Endpoints;

/// <summary>
/// The traces and metrics of the doors, both named <c>ChannelBridge.Endpoints</c>. Names are the product's own: the semantic conventions for RPC name
/// no WebSocket protocols. Units are UCUM.
/// </summary>
internal static class Telemetry
{
    public const string Name = "ChannelBridge.Gateway";

    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    /// <summary>Open connections, by door and dialect.</summary>
    public static readonly UpDownCounter<int> Connections =
        Meter.CreateUpDownCounter<int>("channelbridge.gateway.connections", "{connection}", "Open connections.");

    /// <summary>How long requests take, by method and by code of the error or <c>ok</c>. Its count is the number of requests.</summary>
    public static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "channelbridge.gateway.request.duration", "s", "Time from a request's arrival to its answer.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30] });

    /// <summary>Requests, by method.</summary>
    public static readonly Counter<long> Requests = Meter.CreateCounter<long>("channelbridge.gateway.requests", "{request}", "Requests that were started.");

    /// <summary>Answered errors, by code.</summary>
    public static readonly Counter<long> Errors = Meter.CreateCounter<long>("channelbridge.gateway.errors", "{error}", "Errors that were answered.");

    /// <summary>Refused or broken connections, by reason.</summary>
    public static readonly Counter<long> Refused =
        Meter.CreateCounter<long>("channelbridge.gateway.refused", "{connection}", "Connections that were refused or closed by the host, by reason.");

    /// <summary>Failed authentications, by door.</summary>
    public static readonly Counter<long> AuthFailures =
        Meter.CreateCounter<long>("channelbridge.gateway.auth.failures", "{attempt}", "Failed authentications.");
}
