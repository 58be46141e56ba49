using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents.Http;
using ChannelBridge.Agents.Streams;

namespace ChannelBridge.Agents.ChatCompletions;

/// <summary>
/// Reads chat completion chunks as the many servers send them: reasoning under several names, content as text or parts, whole messages
/// instead of deltas, tool calls with or without an index, an error in the middle, and ends with and without <c>[DONE]</c>. What the
/// provider itself calls broken is never passed on as whole.
/// </summary>
internal sealed class ChatReading(ProviderFaults faults, IReadOnlyList<string> tools) : IProviderReading
{
    private const int MaxCitations = 1000;

    private readonly GrowingText _text = new();
    private readonly GrowingText _refusal = new();
    private readonly GrowingText _reasoning = new();
    private readonly ChatCalls _calls = new(tools);
    private readonly ReasoningExtra _extra = new();
    private readonly List<AgentCitation> _citations = [];
    private AgentUsage? _usage;
    private string? _finish;
    private int _told;

    public bool HasBegun { get; private set; }

    public bool Read(string type, JsonElement data, List<AgentEvent> output)
    {
        if (type == "error" || ErrorShape.Is(data, "choices")) throw faults.Told(data);
        if (data.Member("usage") is { ValueKind: JsonValueKind.Object } usage) Usage(usage);
        foreach (var choice in data.Items("choices"))
        {
            // Only one was asked for.
            if (choice.Number("index") is > 0) continue;
            Choice(choice, data.Text("object") == "chat.completion", output);
        }

        Sources(data.Items("citations"));
        return false;
    }

    public void ReadWhole(JsonElement data, List<AgentEvent> output)
    {
        if (ErrorShape.Is(data, "choices")) throw faults.Told(data);
        var choice = data.Items("choices").FirstOrDefault();
        if (choice.ValueKind != JsonValueKind.Object) throw faults.Broken("what the provider answered is no chat completion");
        Choice(choice, whole: true, output);
        _finish ??= "stop";
        Sources(data.Items("citations"));
        if (data.Member("usage") is { ValueKind: JsonValueKind.Object } usage) Usage(usage);
        End(done: true, output);
    }

    public void End(bool done, List<AgentEvent> output)
    {
        var calls = _calls.Finish(out var nameless);
        // Who says [DONE] has come to an end, if there is something that ends.
        if (_finish is null && (!done || (_text.IsEmpty && _refusal.IsEmpty && calls.Count == 0) || calls.Exists(call => !call.IsWhole)))
            throw faults.Broken("the provider's stream ended before the answer was complete");
        var finish = FinishReasons.Read(_finish ?? "stop");
        if (finish == FinishReasons.Failure) throw faults.Finished(_finish!);
        if (nameless) throw faults.Broken("the provider called a function without a name");
        EndThought(output);
        if (!_text.IsEmpty || !_refusal.IsEmpty || calls.Count == 0)
        {
            output.AddRange(_citations);
            output.Add(new AgentReply(_text.ToString()) { Refusal = _refusal.IsEmpty ? null : _refusal.ToString() });
        }

        var cut = finish is FinishReason.Length or FinishReason.ContentFilter or FinishReason.Unknown;
        for (var i = 0; i < calls.Count; i++)
        {
            var call = calls[i];
            output.Add(new AgentToolCall(
                call.Id!, call.Name, call.Arguments.Length > 0 || (cut && i == calls.Count - 1) ? call.Arguments : "{}")
            {
                Extra = call.Extra,
                // Of an answer that was cut off only the last call can be in pieces; where its arguments are JSON it is whole.
                IsCutOff = cut && i == calls.Count - 1 && !call.IsWhole,
            });
        }

        if (_usage is not null) output.Add(_usage);
        output.Add(new AgentFinish(finish == FinishReason.Stop && calls.Count > 0 ? FinishReason.ToolCalls : finish));
    }

    private void Choice(JsonElement choice, bool whole, List<AgentEvent> output)
    {
        // A failure may come with the last words of the answer; those go first.
        var delta = choice.Member("delta");
        if (delta.ValueKind == JsonValueKind.Object && delta.EnumerateObject().Any()) Delta(delta, whole: false, output);
        else if (choice.Member("message") is { ValueKind: JsonValueKind.Object } message) Delta(message, whole, output);
        else if (_text.Add(choice.Text("text")) is { Length: > 0 } bare) Give(new AgentPartial(bare), output);
        if (choice.Member("error") is { ValueKind: JsonValueKind.Object or JsonValueKind.String } error) throw faults.Told(error);
        if (choice.Text("finish_reason") is { Length: > 0 } finish) _finish = finish;
    }

    private void Delta(JsonElement delta, bool whole, List<AgentEvent> output)
    {
        var (thought, field) = Thought(delta);
        if (Grow(_reasoning, thought, whole) is { Length: > 0 } more)
        {
            _extra.Field = field;
            Give(new AgentReasoning(more, IsSummary: false), output);
        }

        _extra.Add(delta.Items("reasoning_details"));
        if (Grow(_text, Content(delta), whole) is { Length: > 0 } text)
        {
            EndThought(output);
            Give(new AgentPartial(text), output);
        }

        if (Grow(_refusal, delta.Text("refusal"), whole) is { Length: > 0 } refusal)
        {
            EndThought(output);
            Give(new AgentRefusal(refusal), output);
        }

        foreach (var part in delta.Items("tool_calls"))
        {
            HasBegun = true;
            _calls.Add(part);
        }

        if (delta.Member("function_call") is { ValueKind: JsonValueKind.Object } old)
        {
            HasBegun = true;
            _calls.AddOld(old);
        }

        foreach (var annotation in delta.Items("annotations")) Cite(annotation);
        Sources(delta.Items("citations"));
    }

    /// <summary>Says what the server wants back with its reasoning; again when more of that has come.</summary>
    private void EndThought(List<AgentEvent> output)
    {
        var known = _extra.Count + (_reasoning.IsEmpty ? 0 : 1);
        if (known == _told) return;
        _told = known;
        output.Add(new AgentReasoningEnd(null, _extra.Take()));
    }

    /// <summary>What is new of a text. A message instead of a delta may be the whole so far, or may grow like a delta.</summary>
    private static string Grow(GrowingText text, string? piece, bool whole)
    {
        if (string.IsNullOrEmpty(piece)) return "";
        if (whole && (text.IsEmpty || piece.StartsWith(text.ToString(), StringComparison.Ordinal))) return text.Complete(piece) ?? "";
        return text.Add(piece);
    }

    private static string? Content(JsonElement delta)
    {
        var content = delta.Member("content");
        return content.ValueKind == JsonValueKind.Array
            ? string.Concat(delta.Items("content").Where(part => part.Text("type") is not "thinking").Select(
                part => part.Text("text") ?? part.Text() ?? ""))
            : content.Text();
    }

    /// <summary>The reasoning, wherever it stands, and by which name its server knows it.</summary>
    private static (string? Text, string Field) Thought(JsonElement delta)
    {
        foreach (var name in (ReadOnlySpan<string>)["reasoning_content", "reasoning", "thinking"])
        {
            if (delta.Text(name) is { Length: > 0 } text) return (text, name);
        }

        if (delta.Member("content").ValueKind != JsonValueKind.Array) return (null, "");
        var parts = delta.Items("content").Where(part => part.Text("type") == "thinking")
            .Select(part => part.Text("thinking") ?? string.Concat(part.Items("thinking").Select(piece => piece.Text("text") ?? "")));
        return (string.Concat(parts), "thinking");
    }

    private void Give(AgentEvent agentEvent, List<AgentEvent> output)
    {
        HasBegun = true;
        output.Add(agentEvent);
    }

    private void Cite(JsonElement annotation)
    {
        var source = annotation.Member("url_citation") is { ValueKind: JsonValueKind.Object } nested ? nested : annotation;
        if (source.Text("url") is { Length: > 0 } url)
            Cite(new AgentCitation(url, source.Text("title") ?? "", Place(source, "start_index"), Place(source, "end_index")));
    }

    private void Sources(IEnumerable<JsonElement> sources)
    {
        // Servers that search tell their sources as bare addresses, again with each chunk.
        foreach (var source in sources)
        {
            if ((source.Text() ?? source.Text("url")) is { Length: > 0 } url)
                Cite(new AgentCitation(url, source.Text("title") ?? "", 0, 0));
        }
    }

    private void Cite(AgentCitation citation)
    {
        if (_citations.Count < MaxCitations && !_citations.Contains(citation)) _citations.Add(citation);
    }

    private static int Place(JsonElement source, string name) => (int)Math.Clamp(source.Number(name) ?? 0, 0, int.MaxValue);

    private void Usage(JsonElement usage) => _usage = new AgentUsage(
        usage.Number("prompt_tokens") ?? 0,
        usage.Number("completion_tokens") ?? 0,
        usage.Member("prompt_tokens_details").Number("cached_tokens") ?? 0,
        usage.Member("completion_tokens_details").Number("reasoning_tokens") ?? 0);
}
