using System.Buffers;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Core.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <content>Compaction.</content>
internal sealed partial class ResponseRuns
{
    private const string Summarise =
        "Summarise the conversation so far for yourself, so that it can go on without its text: decisions, facts, names, numbers, open questions. Answer with the summary only.";

    /// <summary>
    /// Compacts a conversation (<c>POST /v1/responses/compact</c>): the agent summarises it, and the summary is sealed into one item that stands for all of it.
    /// The echo agent can't summarise: it keeps the conversation's words.
    /// </summary>
    /// <returns>A <c>CompactResource</c>, one JSON object.</returns>
    /// <exception cref="BridgeException">As <see cref="StartAsync(ResponseStart, CancellationToken)"/>; the agent's own error.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> CompactAsync(ResponseRequest request, string owner, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        UrlInputs.Check(request);
        var agent = Choose(null, request.Model);
        var conversation = await _conversations.ResolveAsync(request, null, null, owner, cancellationToken).ConfigureAwait(false);
        var id = "resp_" + Guid.CreateVersion7(_time.GetUtcNow()).ToString("N");
        var (summary, usage) = agent is EchoAgent
            ? (Transcribe(conversation.Items), new ResponseUsage(Transcribe(conversation.Items).Length / 4, 0))
            : await SummariseAsync(agent, request, conversation.Items, id, owner, cancellationToken).ConfigureAwait(false);
        var stands = new MessageItem("developer", [new InputTextPart("The conversation before this, in short:\n" + summary)]);
        var content = await _seal.SealAsync(ItemSeal.Compaction, [stands], owner, cancellationToken).ConfigureAwait(false);
        var item = new CompactionItem(content) { Id = "cmp_" + id["resp_".Length..] + "_0" };
        return Write(id, item, usage);
    }

    /// <summary>What was said up to and with a stored response, and its conversation's name.</summary>
    /// <exception cref="BridgeException"><c>NOT_FOUND</c>, code <c>previous_response_not_found</c>.</exception>
    public async ValueTask<(IReadOnlyList<ResponseItem> Items, string Session)> GetConversationAsync(string responseId, string owner, CancellationToken cancellationToken) =>
        await _conversations.ReadChainAsync(responseId, owner, cancellationToken).ConfigureAwait(false);

    private async Task<(string Summary, ResponseUsage Usage)> SummariseAsync(
        IAgent agent, ResponseRequest request, IReadOnlyList<ResponseItem> items, string id, string owner, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(_options.Timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token, _stop.Token);
        var asked = new ResponseRequest
        {
            Model = request.Model,
            Instructions = request.Instructions,
            PromptCacheKey = request.PromptCacheKey,
            Input = [.. items.Select(item => item is FunctionCallItem call ? CallNames.ToAgent([], call) : item), new MessageItem(
                "user", [new InputTextPart(Summarise)])],
        };
        if (!IsThere(agent)) throw Away(agent);
        var slots = SlotsOf(agent.Name);
        var entering = slots.EnterAsync(owner, linked.Token);
        var text = new StringBuilder();
        var said = new StringBuilder();
        ResponseUsage? usage = null;
        try
        {
            await entering.ConfigureAwait(false);
            if (!IsThere(agent)) throw Away(agent);
            // A conversation of its own: what the agent remembers of the other one isn't touched.
            var turn = new AgentTurn(TurnId(id), TurnMaker.Make(asked, owner, id, agent.Name, _time.GetUtcNow().ToUnixTimeMilliseconds()), 1) { Request = asked };
            await foreach (var one in agent.RunAsync(turn, linked.Token).ConfigureAwait(false))
            {
                switch (one)
                {
                    case AgentPartial partial:
                        text.Append(partial.Suffix);
                        break;
                    case AgentRewrite rewrite:
                        text.Clear().Append(rewrite.Text);
                        break;
                    case AgentReply reply:
                        said.AppendLine(reply.Text);
                        text.Clear();
                        break;
                    case AgentUsage used:
                        usage = new ResponseUsage(used.InputTokens, used.OutputTokens, used.CachedTokens, used.ReasoningTokens);
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"The compaction took longer than {_options.Timeout.TotalSeconds:0} s.");
        }
        finally
        {
            await ReleaseAsync(slots, owner, entering).ConfigureAwait(false);
        }

        var summary = said.Append(text).ToString().Trim();
        if (summary.Length == 0) throw new BridgeException(ErrorCodes.Unavailable, "The agent gave no summary; try again.") { Retryable = true };
        return (summary, usage ?? new ResponseUsage(0, 0));
    }

    private static string Transcribe(IReadOnlyList<ResponseItem> items)
    {
        var text = new StringBuilder();
        foreach (var item in items)
        {
            switch (item)
            {
                case MessageItem message:
                    text.Append(message.Role).Append(": ").AppendJoin('\n', message.Content.Select(part => part switch
                    {
                        InputTextPart said => said.Text,
                        OutputTextPart said => said.Text,
                        RefusalPart said => said.Refusal,
                        _ => "(file)",
                    })).Append('\n');
                    break;
                case FunctionCallItem call:
                    text.Append("call: ").Append(call.Name).Append(call.Arguments).Append('\n');
                    break;
                case FunctionCallOutputItem output:
                    text.Append("result: ").Append(output.Text ?? "(file)").Append('\n');
                    break;
            }
        }

        return text.ToString();
    }

    private byte[] Write(string id, CompactionItem item, ResponseUsage usage)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, id);
            writer.WriteString("object"u8, "response.compaction"u8);
            writer.WriteStartArray("output"u8);
            ResponseWriter.WriteItem(writer, item);
            writer.WriteEndArray();
            writer.WriteNumber("created_at"u8, _time.GetUtcNow().ToUnixTimeSeconds());
            ResponseWriter.WriteUsage(writer, usage);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}
