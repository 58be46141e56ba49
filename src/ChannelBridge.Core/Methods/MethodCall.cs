using System.Diagnostics;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Connections;

namespace ChannelBridge.Core.Methods;

/// <summary>What a method knows about the call beside its parameters.</summary>
/// <param name="connection">Where the call came from, and where events to the caller go.</param>
/// <param name="traceContext">The W3C trace context of the request, or default.</param>
public sealed class MethodCall(IClientConnection connection, ActivityContext traceContext = default)
{
    /// <summary>Where the call came from.</summary>
    public IClientConnection Connection { get; } = connection;

    /// <summary>Who is calling.</summary>
    public Caller Caller => Connection.Caller;

    /// <summary>The W3C trace context of the request, or default when it carried none.</summary>
    public ActivityContext TraceContext { get; } = traceContext;
}
