using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents.Http;
using ChannelBridge.Agents.Streams;

namespace ChannelBridge.Agents.ChatCompletions;

/// <summary>
/// Reads chat completion chunks as the many servers send them: reasoning under two names, content as text or parts, tool calls with or without an index, an
/// error in the middle, and ends with and without <c>[DONE]</c>.
/// </summary>
internal sealed class ChatReading(ProviderFaults faults) : IProviderReading
{
    private readonly GrowingText _text = new();
    private readonly GrowingText _refusal = new();
    private readonly GrowingText _reasoning = new();
    private readonly List<Call> _calls = [];
    private AgentUsage? _usage;
    private string? _finish;

    public bool HasBegun { get; private set; }

    public bool Read(string type, JsonElement data, List<AgentEvent> output)
    {
        if (type == "error" || data.Member("error").ValueKind is JsonValueKind.Object or JsonValueKind.String) throw faults.Told(data);
        if (data.Member("usage") is { ValueKind: JsonValueKind.Object } usage) Usage(usage);
        foreach (var choice in data.Items("choices"))
        {
            // Only one was asked for.
            if (choice.Number("index") is > 0) continue;
            Delta(choice.Member("delta"), output);
            if (choice.Text("finish_reason") is { Length: > 0 } finish) _finish = finish;
        }

        return false;
    }

    public void ReadWhole(JsonElement data, List<AgentEvent> output)
    {
        if (data.Member("error").ValueKind is JsonValueKind.Object or JsonValueKind.String) throw faults.Told(data);
        var choice = data.Items("choices").FirstOrDefault();
        if (choice.ValueKind != JsonValueKind.Object) throw faults.Broken("what the provider answered is no chat completion");
        Delta(choice.Member("message"), output);
        _finish = choice.Text("finish_reason") ?? "stop";
        if (data.Member("usage") is { ValueKind: JsonValueKind.Object } usage) Usage(usage);
        End(output);
    }

    public void End(List<AgentEvent> output)
    {
        if (_finish is null) throw faults.Broken("the provider's stream ended before the answer was complete");
        var calls = _calls.Where(call => call.Name.Length > 0).ToList();
        if (!_text.IsEmpty || !_refusal.IsEmpty || calls.Count == 0)
            output.Add(new AgentReply(_text.ToString()) { Refusal = _refusal.IsEmpty ? null : _refusal.ToString() });
        for (var i = 0; i < calls.Count; i++)
        {
            var call = calls[i];
            // Some local servers give none; the result has to name one.
            var id = call.Id is { Length: > 0 } given ? given : $"call_{Guid.NewGuid():N}";
            output.Add(new AgentToolCall(id, call.Name.ToString(), call.Arguments.Length > 0 ? call.Arguments.ToString() : "{}"));
        }

        if (_usage is not null) output.Add(_usage);
        output.Add(new AgentFinish(_finish switch
        {
            "length" or "max_tokens" => FinishReason.Length,
            "content_filter" => FinishReason.ContentFilter,
            _ => calls.Count > 0 ? FinishReason.ToolCalls : FinishReason.Stop,
        }));
    }

    private void Delta(JsonElement delta, List<AgentEvent> output)
    {
        if (delta.ValueKind != JsonValueKind.Object) return;
        var reasoning = delta.Text("reasoning_content") ?? delta.Text("reasoning");
        if (_reasoning.Add(reasoning) is { Length: > 0 } thought) Give(new AgentReasoning(thought, IsSummary: false), output);
        var content = delta.Text("content");
        if (content is null && delta.Member("content").ValueKind == JsonValueKind.Array)
            content = string.Concat(delta.Items("content").Select(part => part.Text("text") ?? ""));
        if (_text.Add(content) is { Length: > 0 } text) Give(new AgentPartial(text), output);
        if (_refusal.Add(delta.Text("refusal")) is { Length: > 0 } refusal) Give(new AgentRefusal(refusal), output);
        foreach (var part in delta.Items("tool_calls"))
        {
            HasBegun = true;
            CallOf(part).Add(part.Member("function"));
        }
    }

    private void Give(AgentEvent agentEvent, List<AgentEvent> output)
    {
        HasBegun = true;
        output.Add(agentEvent);
    }

    /// <summary>The call that a piece belongs to: by index, else by a new id, else the one before.</summary>
    private Call CallOf(JsonElement part)
    {
        var index = part.Number("index");
        var id = part.Text("id");
        var known = index is not null ? _calls.Find(call => call.Index == index)
            : id is { Length: > 0 } ? _calls.Find(call => call.Id == id)
            : _calls.LastOrDefault();
        if (known is null || (index is not null && id is { Length: > 0 } && known.Id is { Length: > 0 } && known.Id != id))
        {
            // The same index under another id: servers that count each call as the first.
            known = new Call(index, id);
            if (index is not null) _calls.RemoveAll(call => call.Index == index && call.Retire());
            _calls.Add(known);
        }

        known.Id ??= id;
        return known;
    }

    private void Usage(JsonElement usage) => _usage = new AgentUsage(
        usage.Number("prompt_tokens") ?? 0,
        usage.Number("completion_tokens") ?? 0,
        usage.Member("prompt_tokens_details").Number("cached_tokens") ?? 0,
        usage.Member("completion_tokens_details").Number("reasoning_tokens") ?? 0);

    private sealed class Call(long? index, string? id)
    {
        public long? Index { get; private set; } = index;

        public string? Id { get; set; } = id;

        public StringBuilder Name { get; } = new();

        public StringBuilder Arguments { get; } = new();

        /// <summary>Its index is another call's from now on. Always false: it stays in the list.</summary>
        public bool Retire()
        {
            Index = null;
            return false;
        }

        public void Add(JsonElement function)
        {
            // The name comes whole, and from some servers again with every piece.
            if (function.Text("name") is { Length: > 0 } name && Name.Length == 0) Name.Append(name);
            var arguments = function.Member("arguments");
            if (arguments.ValueKind == JsonValueKind.Object) Arguments.Append(arguments.GetRawText());
            else Arguments.Append(arguments.Text());
        }
    }
}
