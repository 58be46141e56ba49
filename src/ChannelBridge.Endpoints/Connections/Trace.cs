using System.Diagnostics;
using System.Text;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Reads the W3C trace context of a request.</summary>
internal static class Trace
{
    private const int Length = 55;

    /// <summary>
    /// Ends the influence of the request's span on what follows in this flow. A request that becomes a connection or an event stream has no span of its own
    /// (it would last as long), and what comes over it must neither be its child nor be left out with it.
    /// </summary>
    public static void LeaveRequest() => Activity.Current = null;

    /// <summary>The context, or default when there is none or it is malformed: a broken trace never breaks a request.</summary>
    public static ActivityContext Parse(ReadOnlySpan<byte> traceParent)
    {
        if (traceParent.Length != Length) return default;
        return ActivityContext.TryParse(Encoding.ASCII.GetString(traceParent), null, isRemote: true, out var context) ? context : default;
    }
}
