using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChannelBridge.Channels.Bncr;

/// <summary>Traces and measures of this assembly. Both carry its name; no name here is a semantic convention unless said.</summary>
internal static class Telemetry
{
    public const string Name = "ChannelBridge.Channels.Bncr";

    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    /// <summary>Messages from clients. <c>channelbridge.outcome</c>: accepted, duplicate, stale, refused, invalid.</summary>
    public static readonly Counter<long> Inbound = Meter.CreateCounter<long>("channelbridge.bncr.inbound", "{message}", "Messages from bncr clients, by outcome.");

    /// <summary>Pushes to clients. <c>channelbridge.outcome</c>: flushed, gone, full.</summary>
    public static readonly Counter<long> Pushes = Meter.CreateCounter<long>("channelbridge.bncr.pushes", "{message}", "Pushes to bncr clients, by outcome.");

    /// <summary>Acks from clients. <c>channelbridge.outcome</c>: the result's name in lower case, or stale.</summary>
    public static readonly Counter<long> Acks = Meter.CreateCounter<long>("channelbridge.bncr.acks", "{ack}", "Acks from bncr clients, by outcome.");

    /// <summary>Leases granted. <c>channelbridge.takeover</c>: whether another connection lost its lease.</summary>
    public static readonly Counter<long> Leases =
        Meter.CreateCounter<long>("channelbridge.bncr.leases", "{lease}", "Leases granted to bncr clients, by whether another one lost its lease.");

    /// <summary>An activity whose parent is a W3C <c>traceparent</c>, or null when nobody listens.</summary>
    public static Activity? Start(string name, ActivityKind kind, string? traceParent) =>
        Source.HasListeners() && ActivityContext.TryParse(traceParent, null, isRemote: true, out var parent)
            ? Source.StartActivity(name, kind, parent)
            : Source.StartActivity(name, kind);

    /// <summary>The <c>traceparent</c> to carry on: the running activity's, else the request's own, else null.</summary>
    public static string? TraceParent(Activity? activity, ActivityContext request)
    {
        if (activity is { IdFormat: ActivityIdFormat.W3C }) return activity.Id;
        return request == default
            ? null
            : $"00-{request.TraceId.ToHexString()}-{request.SpanId.ToHexString()}-{(request.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? "01" : "00")}";
    }
}
