using System.Runtime.CompilerServices;

namespace ChannelBridge.Core.Agents;

/// <summary>Repeats what it is told, so that a first run and a benchmark need no model and no key.</summary>
public sealed class EchoAgent : IAgent
{
    /// <inheritdoc/>
    public string Name => "echo";

    /// <inheritdoc/>
    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        cancellationToken.ThrowIfCancellationRequested();
        yield return new AgentReply(turn.Message.Text.Length > 0 ? "echo: " + turn.Message.Text : $"echo: ({turn.Message.Type})");
        await Task.CompletedTask.ConfigureAwait(false);
    }
}
