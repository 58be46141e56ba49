using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.AI;

namespace ChannelBridge.Agents.ChatClient;

/// <summary>An <see cref="IChatClient"/> as an agent.</summary>
internal sealed class ChatClientAgent(string name, IChatClient client, ChatClientAgentOptions options) : IAgent
{
    private long _turns;
    private long _failed;

    public string Name => name;

    public AgentMemory? Memory => options.Memory;

    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        cancellationToken.ThrowIfCancellationRequested();
        Interlocked.Increment(ref _turns);
        var reading = new ChatClientReading();
        var updates = client.GetStreamingResponseAsync(ChatPrompt.Messages(turn), ChatPrompt.Options(turn, options), cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using (updates.ConfigureAwait(false))
        {
            while (await NextAsync(updates, reading, cancellationToken).ConfigureAwait(false))
            {
                foreach (var agentEvent in reading.Take()) yield return agentEvent;
            }
        }

        foreach (var agentEvent in reading.Finish()) yield return agentEvent;
    }

    public JsonObject Describe()
    {
        var about = client.GetService(typeof(ChatClientMetadata)) as ChatClientMetadata;
        return new JsonObject
        {
            ["kind"] = "chat-client",
            ["provider"] = about?.ProviderName,
            ["model"] = options.Model ?? about?.DefaultModelId,
            ["turns"] = Interlocked.Read(ref _turns),
            ["failed"] = Interlocked.Read(ref _failed),
        };
    }

    private async ValueTask<bool> NextAsync(IAsyncEnumerator<ChatResponseUpdate> updates, ChatClientReading reading, CancellationToken cancellationToken)
    {
        try
        {
            if (!await updates.MoveNextAsync().ConfigureAwait(false)) return false;
            reading.Read(updates.Current);
            return true;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (BridgeException)
        {
            Interlocked.Increment(ref _failed);
            throw;
        }
        catch (Exception fault)
        {
            Interlocked.Increment(ref _failed);
            // Clients throw what they like, and their messages may hold anything: the log has it.
            throw new BridgeException("AGENT_FAILED", $"The agent '{name}' failed ({fault.GetType().Name}); see the log.", fault) { Retryable = true };
        }
    }
}
