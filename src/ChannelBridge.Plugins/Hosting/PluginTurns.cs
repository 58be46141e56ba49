using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// Tells a process what happens in turns of messages that asked for it. One call at a time; what comes meanwhile waits, and partial texts
/// of one message are joined. Best effort: what is too much is left out, because the whole answer comes by a push.
/// </summary>
internal sealed class PluginTurns(IReadOnlyDictionary<string, PluginChannel> channels, PluginLink link) : ITurnListener
{
    private const int MaxWaiting = 256;
    private const int MaxText = 64 * 1024;
    private readonly Lock _lock = new();
    private List<PluginTurnEvent> _waiting = [];
    private bool _telling;

    public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
    {
        if (!IsMeant(turn)) return;
        var (kind, text) = agentEvent switch
        {
            AgentPartial partial => ("partial", partial.Suffix),
            AgentRewrite rewrite => ("rewrite", rewrite.Text),
            AgentTyping => ("typing", null),
            AgentReasoning reasoning => ("reasoning", reasoning.Suffix),
            AgentToolCall call => ("tool", call.Name),
            AgentReply reply => ("reply", reply.Text),
            _ => ((string?)null, (string?)null),
        };
        if (kind is not null) Add(turn, ordinal, kind, text);
    }

    public void OnTurnEnded(AgentTurn turn, bool failed)
    {
        if (IsMeant(turn)) Add(turn, 0, failed ? "failed" : "ended", null);
    }

    private bool IsMeant(AgentTurn turn) => turn.Message.Stream && link.Current is not null && channels.ContainsKey(turn.Message.Channel);

    private void Add(AgentTurn turn, int ordinal, string kind, string? text)
    {
        lock (_lock)
        {
            if (_waiting.Count > 0 && IsMore(_waiting[^1], turn, ordinal, kind, text))
            {
                _waiting[^1] = _waiting[^1] with { Text = _waiting[^1].Text + text };
            }
            else if (_waiting.Count < MaxWaiting)
            {
                var message = turn.Message;
                _waiting.Add(new PluginTurnEvent
                {
                    Turn = turn.Id,
                    Ordinal = ordinal,
                    Kind = kind,
                    Text = text is { Length: > MaxText } ? text[..MaxText] : text,
                    MessageId = kind is "ended" or "failed" ? null
                        : MessageIds.ForReply(message.Channel, message.AccountId, turn.Id, ordinal),
                    SessionKey = message.SessionKey,
                    AccountId = message.AccountId,
                    Route = message.Route,
                });
            }

            if (_telling) return;
            _telling = true;
        }

        _ = Task.Run(TellAsync);
    }

    // The next piece of a text that waits: told as one.
    private static bool IsMore(PluginTurnEvent last, AgentTurn turn, int ordinal, string kind, string? text) =>
        kind is "partial" or "reasoning" && last.Kind == kind && last.Turn == turn.Id && last.Ordinal == ordinal
        && (last.Text?.Length ?? 0) + (text?.Length ?? 0) <= MaxText;

    private async Task TellAsync()
    {
        while (true)
        {
            List<PluginTurnEvent> events;
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _telling = false;
                    return;
                }

                (events, _waiting) = (_waiting, []);
            }

            try
            {
                // A message has its bound: a few texts at a time.
                foreach (var part in events.Chunk(8))
                    await link.Require().TurnEventsAsync(part, CancellationToken.None).TranslateAsync().ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is BridgeException or OperationCanceledException)
            {
                // The process is gone or doesn't want them; the answer itself comes by a push.
            }
        }
    }
}
