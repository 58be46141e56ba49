using System.Diagnostics;
using System.Diagnostics.Metrics;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Endpoints;

/// <summary>
/// The traces and metrics of the doors, both named <c>ChannelBridge.Endpoints</c>. Names are the product's own: the semantic conventions for RPC name
/// no WebSocket protocols. Units are UCUM.
/// </summary>
internal static class Telemetry
{
    public const string Name = "ChannelBridge.Endpoints";

    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    /// <summary>Open connections, by door and dialect.</summary>
    public static readonly UpDownCounter<int> Connections =
        Meter.CreateUpDownCounter<int>("channelbridge.doors.connections", "{connection}", "Open connections, by door and dialect.");

    /// <summary>How long requests take, by method and by code of the error or <c>ok</c>. Its count is the number of requests.</summary>
    public static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "channelbridge.doors.request.duration", "s", "Time from a request's arrival to its answer, by method and code.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30] });

    /// <summary>Requests, by method.</summary>
    public static readonly Counter<long> Requests = Meter.CreateCounter<long>("channelbridge.doors.requests", "{request}", "Requests that were started, by method.");

    /// <summary>Answered errors, by code.</summary>
    public static readonly Counter<long> Errors = Meter.CreateCounter<long>("channelbridge.doors.errors", "{error}", "Errors that were answered, by code.");

    /// <summary>Refused or broken connections, by reason.</summary>
    public static readonly Counter<long> Refused =
        Meter.CreateCounter<long>("channelbridge.doors.refused", "{connection}", "Connections that were refused or closed by the host, by reason.");

    /// <summary>Failed authentications, by door.</summary>
    public static readonly Counter<long> AuthFailures =
        Meter.CreateCounter<long>("channelbridge.doors.auth.failures", "{attempt}", "Failed authentications, by door.");

    /// <summary>A door as attributes name it.</summary>
    public static string NameOf(Door door) => door switch
    {
        Door.Listener => "listener",
        Door.Local => "local",
        Door.Gateway => "gateway",
        _ => "channel",
    };
}
