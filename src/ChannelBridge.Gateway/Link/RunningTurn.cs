using System.Threading.Channels;
using ChannelBridge.Core.Agents;
using ChannelBridge.Core.Errors;

namespace ChannelBridge.Gateway.Link;

/// <summary>
/// The events of one turn between the link's reader, which must never wait, and the turn, which may. Partial text is dropped when the turn is too slow
/// for it; its end never is.
/// </summary>
internal sealed class RunningTurn(string id)
{
    private const int Capacity = 1024;

    private readonly Channel<AgentEvent> _events = Channel.CreateBounded<AgentEvent>(
        new BoundedChannelOptions(Capacity) { SingleReader = true, SingleWriter = false, FullMode = BoundedChannelFullMode.Wait });

    private bool _broken;

    public string Id => id;

    /// <summary>The gateway's core has taken the turn over: from here on it finishes it even over its own restart.</summary>
    public bool Adopted { get; private set; }

    /// <summary>Partial texts that came.</summary>
    public int Partials { get; private set; }

    /// <summary>Typing signs that came.</summary>
    public int Typing { get; private set; }

    public void On(TurnEventParameters turnEvent)
    {
        switch (turnEvent.Kind)
        {
            case "adopted":
                Adopted = true;
                break;
            case "partial" when turnEvent.Text is { Length: > 0 } text:
                Partials++;
                // A suffix without the one before it is no text: after the first that found no room, none is shown.
                _broken = _broken || !_events.Writer.TryWrite(new AgentPartial(text));
                break;
            case "typing":
                Typing++;
                _events.Writer.TryWrite(AgentTyping.Instance);
                break;
            case "done":
                _events.Writer.TryComplete();
                break;
            case "failed":
                Fail(new BridgeException(turnEvent.Code ?? ErrorCodes.Internal, turnEvent.Message ?? "The gateway's agent failed.")
                {
                    Retryable = turnEvent.Retryable,
                    RetryAfter = turnEvent.RetryAfterMs is { } wait ? TimeSpan.FromMilliseconds(wait) : null,
                });
                break;
        }
    }

    /// <summary>Ends the turn with an error.</summary>
    public void Fail(BridgeException fault) => _events.Writer.TryComplete(fault);

    /// <summary>The events; ends with the turn.</summary>
    /// <exception cref="BridgeException">The turn failed.</exception>
    public IAsyncEnumerable<AgentEvent> ReadAsync(CancellationToken cancellationToken) => _events.Reader.ReadAllAsync(cancellationToken);
}
