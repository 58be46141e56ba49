using System.Runtime.CompilerServices;
using System.Text;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Agents;

/// <summary>
/// Repeats what it is told, so that a first run, a test and a benchmark need no model and no key. Offered tools, it calls the one that it must call, or whose
/// name the message speaks of, with arguments that fit the tool's schema; always the same for the same request.
/// </summary>
internal sealed class EchoAgent : IAgent
{
    // Roughly what models count.
    private const int BytesPerToken = 4;

    /// <inheritdoc/>
    public string Name => "echo";

    /// <inheritdoc/>
    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        cancellationToken.ThrowIfCancellationRequested();
        var answer = turn.Message.Text.Length > 0 ? "echo: " + turn.Message.Text : $"echo: ({turn.Message.Type})";
        if (turn.Request is { } request)
        {
            if (EchoTools.Choose(request, turn.Message.Text) is { } tool)
            {
                yield return new AgentToolCall($"call_{turn.Id:N}", tool.Name, EchoTools.MakeArguments(tool, turn.Message.Text));
                yield return Count(request, "");
                yield return new AgentFinish(FinishReason.ToolCalls);
                yield break;
            }

            if (request.Input is [.., FunctionCallOutputItem output])
                answer = "echo: " + (output.Text ?? string.Join('\n', (output.Parts ?? []).OfType<InputTextPart>().Select(part => part.Text)));
            yield return Count(request, answer);
        }

        yield return new AgentReply(answer);
        await Task.CompletedTask.ConfigureAwait(false);
    }

    private static AgentUsage Count(ResponseRequest request, string answer)
    {
        var input = request.Input.OfType<MessageItem>().SelectMany(message => message.Content).Sum(part => part switch
        {
            InputTextPart text => Tokens(text.Text),
            OutputTextPart text => Tokens(text.Text),
            _ => 1,
        });
        return new AgentUsage(input, Tokens(answer));
    }

    private static long Tokens(string text) => (Encoding.UTF8.GetByteCount(text) + BytesPerToken - 1) / BytesPerToken;
}
