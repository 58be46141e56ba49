using System.Diagnostics;

namespace ChannelBridge.Client.Internal;

/// <summary>The instruments of this assembly.</summary>
internal static class ClientTelemetry
{
    private static readonly ActivitySource Source = new("ChannelBridge.Client");

    /// <summary>The W3C context of the running activity, or null.</summary>
    public static string? TraceParent => Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null;

    /// <summary>A span for one call, when there is a listener. Attributes as OpenTelemetry's RPC conventions name them.</summary>
    public static Activity? StartCall(string method)
    {
        var activity = Source.StartActivity(method, ActivityKind.Client);
        activity?.SetTag("rpc.system", "channelbridge");
        activity?.SetTag("rpc.method", method);
        return activity;
    }
}
