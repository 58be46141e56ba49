using System.Runtime.CompilerServices;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>An agent that says what a test tells it to, when the test says so.</summary>
internal sealed class ScriptedAgent(string name = "scripted") : IAgent
{
    private readonly Channel<AgentEvent> _events = Channel.CreateUnbounded<AgentEvent>();
    private readonly List<AgentEvent> _said = [];

    public string Name => name;

    public bool MayRewrite { get; init; }

    /// <summary>True: it doesn't listen to its cancellation.</summary>
    public bool IsDeaf { get; init; }

    /// <summary>True: each turn hears the same, all that was said until the end.</summary>
    public bool Repeats { get; init; }

    /// <summary>True: it isn't there.</summary>
    public bool IsAway { get; init; }

    public List<AgentTurn> Turns { get; } = [];

    public TaskCompletionSource Started { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Say(params AgentEvent[] events)
    {
        _said.AddRange(events);
        foreach (var one in events) _events.Writer.TryWrite(one);
    }

    public void End(Exception? fault = null) => _events.Writer.TryComplete(fault);

    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => IsAway ? Task.Delay(Timeout.Infinite, cancellationToken) : Task.CompletedTask;

    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        lock (Turns) Turns.Add(turn);
        Started.TrySetResult();
        using var registration = cancellationToken.Register(() => Cancelled.TrySetResult());
        if (Repeats)
        {
            foreach (var one in _said) yield return one;
            yield break;
        }

        try
        {
            await foreach (var one in _events.Reader.ReadAllAsync(IsDeaf ? CancellationToken.None : cancellationToken)) yield return one;
        }
        finally
        {
            // The reader's own registration runs first, and may have ended this before the one above had its turn.
            if (cancellationToken.IsCancellationRequested) Cancelled.TrySetResult();
        }
    }
}
