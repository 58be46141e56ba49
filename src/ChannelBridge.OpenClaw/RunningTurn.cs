using System.Threading.Channels;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// The events of one turn between the link's reader, which must never wait, and the turn, which may. Partial text is dropped when the
/// turn is too slow for it; finished messages and its end never are.
/// </summary>
/// <param name="id">The turn's id on the link.</param>
/// <param name="collect">
/// True when the answer is taken from the events; false when it comes through the outbox and they are only shown.
/// </param>
internal sealed class RunningTurn(string id, bool collect = false)
{
    private const int Capacity = 1024;

    private readonly Channel<AgentEvent> _events = Channel.CreateUnbounded<AgentEvent>(new UnboundedChannelOptions { SingleReader = false, SingleWriter = false });
    private readonly List<string> _calls = [];

    private bool _broken;

    public string Id => id;

    /// <summary>The message that it answers, and the gateway's session in which; null before the gateway was told.</summary>
    public (InboundMessage Message, string SessionKey)? Subject { get; set; }

    /// <summary>The gateway's core has taken the turn over: from here on it finishes it even over its own restart.</summary>
    public bool Adopted { get; private set; }

    /// <summary>Partial texts that came.</summary>
    public int Partials { get; private set; }

    /// <summary>Typing signs that came.</summary>
    public int Typing { get; private set; }

    /// <summary>The gateway has said that the turn is over.</summary>
    public bool Ended { get; private set; }

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
                _broken = _broken || !TryShow(new AgentPartial(text));
                break;
            case "rewrite" when turnEvent.Text is { } text:
                _broken = !TryShow(new AgentRewrite(text));
                break;
            case "message":
                _broken = false;
                Add(collect ? new AgentReply(turnEvent.Text ?? "") : AgentMessageEnd.Instance);
                break;
            case "reply" when collect:
                _broken = false;
                Reply(turnEvent);
                break;
            case "reasoning" when turnEvent.Text is { Length: > 0 } text:
                TryShow(new AgentReasoning(text));
                break;
            case "toolCall" when collect && turnEvent is { CallId: { } call, Name: { } name }:
                _calls.Add(call);
                Add(new AgentToolCall(call, name, turnEvent.Arguments ?? "{}"));
                break;
            case "toolResult" when collect && turnEvent.CallId is { } call && _calls.Remove(call):
                Add(new AgentToolResult(call, turnEvent.Output ?? ""));
                break;
            case "typing":
                Typing++;
                TryShow(AgentTyping.Instance);
                break;
            case "done":
                Ended = true;
                // The gateway runs its tools itself: a call whose result wasn't told must not look as if it waited for the client.
                foreach (var call in _calls) Add(new AgentToolResult(call, ""));
                _events.Writer.TryComplete();
                break;
            case "failed":
                Ended = true;
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

    private void Reply(TurnEventParameters reply)
    {
        var text = reply.Text ?? "";
        if (text.AsSpan().Trim() is "NO_REPLY" or "HEARTBEAT_OK") return;
        var files = reply.Media ?? [];
        Add(new AgentReply(text, Attachment: files.Count > 0 ? Describe(files[0]) : null));
        foreach (var file in files.Skip(1)) Add(new AgentReply("", Attachment: Describe(file)));
    }

    private static Attachment Describe(LinkMedia file) => new()
    {
        File = file.File,
        IsVoice = file.Voice,
        MimeType = file.MimeType ?? "application/octet-stream",
        FileName = file.FileName,
        Location = file.Url,
    };

    private bool TryShow(AgentEvent agentEvent) => _events.Reader.Count < Capacity && _events.Writer.TryWrite(agentEvent);

    private void Add(AgentEvent agentEvent) => _events.Writer.TryWrite(agentEvent);
}
