using System.Diagnostics;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;

namespace ChannelBridge.Abstractions.Methods;

/// <summary>What a method knows about the call beside its parameters.</summary>
/// <param name="connection">Where the call came from, and where events to the caller go.</param>
/// <param name="traceContext">The W3C trace context of the request, or default.</param>
/// <param name="carrier">The call that carries this one and answers for it (a gateway's link), or null.</param>
public sealed class MethodCall(IClientConnection connection, ActivityContext traceContext = default, MethodCall? carrier = null)
{
    private Action? _afterAnswer;

    /// <summary>Where the call came from.</summary>
    public IClientConnection Connection { get; } = connection;

    /// <summary>Who is calling.</summary>
    public Caller Caller => Connection.Caller;

    /// <summary>Bytes that came with the call beside its parameters; empty for most. Valid until the call has ended.</summary>
    public ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>The W3C trace context of the request, or default when it carried none.</summary>
    public ActivityContext TraceContext { get; } = traceContext;

    /// <summary>
    /// Has something done when the answer is on its way, whether it is a result or an error: what it leads to reaches the caller after the answer. Only for
    /// methods that say so (<see cref="RpcMethod.ActsAfterAnswer"/>).
    /// </summary>
    /// <param name="action">Must be quick and must not throw.</param>
    public void AfterAnswer(Action action)
    {
        if (carrier is not null) carrier.AfterAnswer(action);
        else _afterAnswer += action;
    }

    /// <summary>The door tells that the answer is on its way.</summary>
    public void Answered() => Interlocked.Exchange(ref _afterAnswer, null)?.Invoke();
}
