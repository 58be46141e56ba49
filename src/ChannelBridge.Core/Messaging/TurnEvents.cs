using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The way of a turn's events to who listens: one bounded queue, in which texts that grow are joined while a listener is busy, so that a slow one costs
/// neither memory nor the agent's time. Finished replies wait until they are heard, because they are delivered next.
/// </summary>
internal sealed partial class TurnEvents(IRegistry registry, AgentTurn turn, ILogger logger)
{
    /// <summary>Events of different kinds that wait at most; then the agent waits, too.</summary>
    private const int Capacity = 256;

    /// <summary>How long a text grows by being joined; what comes then waits beside it.</summary>
    private const int LongestJoined = 16 * 1024;

    private readonly Lock _gate = new();
    private readonly List<(int Ordinal, AgentEvent Event)> _waiting = [];
    private IReadOnlyList<ITurnListener> _listeners = [];
    private TaskCompletionSource? _empty;
    private bool _telling;

    /// <summary>Passes an event on. Completes at once, unless the queue is full or the event is a finished reply.</summary>
    public ValueTask AddAsync(int ordinal, AgentEvent agentEvent)
    {
        var listeners = registry.Current.Of<ITurnListener>();
        if (listeners.Count == 0) return default;
        Task? wait = null;
        lock (_gate)
        {
            _listeners = listeners;
            Join(ordinal, agentEvent);
            var isWaitedFor = agentEvent is AgentReply or AgentMessageEnd || _waiting.Count >= Capacity;
            if (_telling)
            {
                if (!isWaitedFor) return default;
                wait = (_empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
            else
            {
                _telling = true;
                if (!isWaitedFor)
                {
                    ThreadPool.UnsafeQueueUserWorkItem(static events => events.TellAll(), this, preferLocal: true);
                    return default;
                }
            }
        }

        if (wait is not null) return new ValueTask(wait);

        // Who waits for the listeners anyway tells them himself: two changes of thread fewer for each reply.
        TellAll();
        return default;
    }

    /// <summary>The turn is over: tells that after everything else.</summary>
    public async ValueTask EndAsync(AgentTurn ended, bool failed)
    {
        Task? rest = null;
        lock (_gate)
        {
            if (_telling) rest = (_empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }

        if (rest is not null) await rest.ConfigureAwait(false);
        foreach (var listener in registry.Current.Of<ITurnListener>())
        {
            try
            {
                listener.OnTurnEnded(ended, failed);
            }
            catch (Exception fault)
            {
                LogListenerFailed(logger, listener.GetType().Name, fault);
            }
        }
    }

    private void TellAll()
    {
        while (true)
        {
            (int Ordinal, AgentEvent Event)[] round;
            IReadOnlyList<ITurnListener> listeners;
            TaskCompletionSource? empty = null;
            lock (_gate)
            {
                listeners = _listeners;
                round = [.. _waiting];
                _waiting.Clear();
                if (round.Length == 0)
                {
                    _telling = false;
                    (empty, _empty) = (_empty, null);
                }
            }

            if (round.Length == 0)
            {
                empty?.SetResult();
                return;
            }

            foreach (var (ordinal, agentEvent) in round)
            {
                foreach (var listener in listeners) Tell(listener, ordinal, agentEvent);
            }
        }
    }

    private void Tell(ITurnListener listener, int ordinal, AgentEvent agentEvent)
    {
        try
        {
            listener.OnTurnEvent(turn, ordinal, agentEvent);
        }
        catch (Exception fault)
        {
            // The turn goes on whatever who watches it does.
            LogListenerFailed(logger, listener.GetType().Name, fault);
        }
    }

    /// <summary>Puts an event behind the others, or into the last one.</summary>
    private void Join(int ordinal, AgentEvent agentEvent)
    {
        if (_waiting.Count > 0 && _waiting[^1].Ordinal == ordinal && LengthOf(_waiting[^1].Event) < LongestJoined)
        {
            AgentEvent? joined = (_waiting[^1].Event, agentEvent) switch
            {
                (AgentPartial before, AgentPartial more) => new AgentPartial(before.Suffix + more.Suffix),
                (AgentRewrite before, AgentPartial more) => new AgentRewrite(before.Text + more.Suffix),
                (AgentPartial or AgentRewrite, AgentRewrite whole) => whole,
                (AgentReasoning before, AgentReasoning more) when before.IsSummary == more.IsSummary => new AgentReasoning(before.Suffix + more.Suffix, more.IsSummary),
                (AgentRefusal before, AgentRefusal more) => new AgentRefusal(before.Suffix + more.Suffix),
                (AgentTyping, AgentTyping) => agentEvent,
                (AgentStatus, AgentStatus) => agentEvent,
                (AgentUsage, AgentUsage) => agentEvent,
                _ => null,
            };
            if (joined is not null)
            {
                _waiting[^1] = (ordinal, joined);
                return;
            }
        }

        _waiting.Add((ordinal, agentEvent));
    }

    private static int LengthOf(AgentEvent agentEvent) => agentEvent switch
    {
        AgentPartial partial => partial.Suffix.Length,
        AgentRewrite rewrite => rewrite.Text.Length,
        AgentReasoning reasoning => reasoning.Suffix.Length,
        AgentRefusal refusal => refusal.Suffix.Length,
        _ => 0,
    };

    [LoggerMessage(LogEvents.TurnEventsListenerFailed, LogLevel.Warning, "{Listener} failed when it was told of a turn; the turn goes on.")]
    private static partial void LogListenerFailed(ILogger logger, string listener, Exception fault);
}
