using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents.Http;
using ChannelBridge.Agents.Streams;

namespace ChannelBridge.Agents.Responses;

/// <summary>
/// Reads the events of Open Responses and of servers that take it less strictly: items may be missing until they are done, parts and ids, too, and the last
/// event may be the first that tells the text.
/// </summary>
internal sealed class ResponsesReading(ProviderFaults faults) : IProviderReading
{
    private const int MaxCitations = 1000;

    private readonly HashSet<string> _calls = new(StringComparer.Ordinal);
    private readonly HashSet<string> _results = new(StringComparer.Ordinal);
    private GrowingText? _text;
    private GrowingText? _refusal;
    private readonly HashSet<string> _thoughts = new(StringComparer.Ordinal);
    private readonly HashSet<AgentCitation> _citations = [];
    private AgentToolCall? _held;
    private bool _reasoned;
    private bool _reasonedHere;
    private bool _breakBeforeReasoning;
    private int _messages;

    public bool HasBegun { get; private set; }

    public bool Read(string type, JsonElement data, List<AgentEvent> output)
    {
        // The type in the body is the one that the spec asks for; older servers have it in the event field only.
        type = data.Text("type") ?? type;
        switch (type)
        {
            case "response.output_text.delta":
                Show((_text ??= new GrowingText()).Add(data.Text("delta")), output);
                break;
            case "response.refusal.delta":
                Refuse((_refusal ??= new GrowingText()).Add(data.Text("delta")), output);
                break;
            case "response.reasoning_summary_text.delta":
                Reason(data.Text("delta"), isSummary: true, output);
                break;
            case "response.reasoning_text.delta" or "response.reasoning.delta":
                Reason(data.Text("delta"), isSummary: false, output);
                break;
            case "response.reasoning_summary_part.added":
                _breakBeforeReasoning = _reasoned;
                break;
            case "response.function_call_arguments.delta":
                HasBegun = true;
                break;
            case "response.output_item.done":
                Item(data.Member("item"), output);
                break;
            case "response.completed" or "response.incomplete" or "response.done":
                Finish(data.Member("response"), type == "response.incomplete", output);
                return true;
            case "response.failed":
                Finish(data.Member("response"), incomplete: false, output, failed: true);
                return true;
            case "response.cancelled":
                throw faults.Broken("the provider cancelled its own answer");
            case "error":
                throw faults.Told(data);
            case "response.output_text.annotation.added":
                Cite(data.Member("annotation"), output);
                break;
            default:
                if (!type.StartsWith("response.", StringComparison.Ordinal) && ErrorShape.Is(data, "output")) throw faults.Told(data);
                break;
        }

        return false;
    }

    public void ReadWhole(JsonElement data, List<AgentEvent> output)
    {
        if (data.Member("output").ValueKind != JsonValueKind.Array && ErrorShape.Is(data, "output")) throw faults.Told(data);
        if (data.Member("output").ValueKind != JsonValueKind.Array) throw faults.Broken("what the provider answered is no response");
        Finish(data, data.Text("status") == "incomplete", output, data.Text("status") is "failed" or "cancelled");
    }

    public void End(bool done, List<AgentEvent> output) =>
        throw faults.Broken("the provider's stream ended before the answer was complete");

    private void Item(JsonElement item, List<AgentEvent> output)
    {
        switch (item.Text("type"))
        {
            case "message":
                Message(item, output);
                break;
            case "function_call":
                Call(item, output);
                break;
            case "function_call_output":
                Result(item, output);
                break;
            case "reasoning":
                Reasoning(item, output);
                break;
        }
    }

    /// <summary>A message is done: what its deltas didn't tell comes now, and what they told otherwise is a rewrite.</summary>
    private void Message(JsonElement item, List<AgentEvent> output)
    {
        if (item.Text("role") is { } role && role != "assistant") return;
        var parts = item.Items("content").ToList();
        var whole = Join(parts, "output_text", "text") ?? Join(parts, "text", "text");
        var refused = Join(parts, "refusal", "refusal");
        if (whole is null && item.Member("content").Text() is { } bare) whole = bare;
        if (whole is not null)
        {
            if ((_text ??= new GrowingText()).Complete(whole) is { } rest) Show(rest, output);
            else output.Add(new AgentRewrite(_text.ToString()));
        }

        foreach (var annotation in parts.SelectMany(part => part.Items("annotations"))) Cite(annotation, output);
        if (refused is not null && (_refusal ??= new GrowingText()).Complete(refused) is { } more) Refuse(more, output);
        Close(output);
    }

    private void Close(List<AgentEvent> output)
    {
        output.Add(new AgentReply(_text?.ToString() ?? "") { Refusal = _refusal?.ToString() });
        _text = null;
        _refusal = null;
        _messages++;
        HasBegun = true;
    }

    /// <summary>Reasoning is done: what its deltas didn't tell comes now, and its sealed form.</summary>
    private void Reasoning(JsonElement item, List<AgentEvent> output)
    {
        if (item.Text("id") is { } id && !_thoughts.Add(id)) return;
        if (!_reasonedHere)
        {
            foreach (var part in item.Items("summary"))
            {
                _breakBeforeReasoning = _reasonedHere;
                Reason(part.Text("text"), isSummary: true, output);
            }

            if (!_reasonedHere && Join([.. item.Items("content")], null, "text") is { Length: > 0 } raw)
                Reason(raw, isSummary: false, output);
        }

        if (item.Text("encrypted_content") is { Length: > 0 } hidden)
        {
            output.Add(new AgentReasoningEnd(hidden));
            _reasoned = false;
        }

        _reasonedHere = false;
        _breakBeforeReasoning = false;
    }

    private void Call(JsonElement item, List<AgentEvent> output)
    {
        var id = item.Text("call_id") is { Length: > 0 } given ? given : item.Text("id");
        if (item.Text("name") is not { Length: > 0 } name || (id is { Length: > 0 } && !_calls.Add(id))) return;
        if (id is not { Length: > 0 }) _calls.Add(id = $"call_{Guid.NewGuid():N}");
        HasBegun = true;
        GiveHeld(cut: false, output);
        var arguments = item.Text("arguments") ?? (
            item.Member("arguments") is { ValueKind: JsonValueKind.Object } bare ? bare.GetRawText() : "");
        var call = new AgentToolCall(id, name, arguments) { Extra = ExtraOf(item) };
        // Whether a call in pieces was cut off says the end of the response.
        if (item.Text("status") == "incomplete" || !IsJson(arguments)) _held = call;
        else output.Add(call);
    }

    private void GiveHeld(bool cut, List<AgentEvent> output)
    {
        if (_held is not { } call) return;
        _held = null;
        output.Add(call with { IsCutOff = cut, Arguments = call.Arguments.Length > 0 || cut ? call.Arguments : "{}" });
    }

    private static JsonElement? ExtraOf(JsonElement item)
    {
        if (item.Member("extra_content") is not { ValueKind: JsonValueKind.Object } extra) return null;
        using var document = JsonDocument.Parse($$"""{"extra_content":{{extra.GetRawText()}}}""", new JsonDocumentOptions { MaxDepth = 256, AllowTrailingCommas = true });
        return document.RootElement.Clone();
    }

    private static bool IsJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 256 });
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Cite(JsonElement annotation, List<AgentEvent> output)
    {
        if (annotation.Text("url") is not { Length: > 0 } url) return;
        var citation = new AgentCitation(
            url, annotation.Text("title") ?? "", Place(annotation, "start_index"), Place(annotation, "end_index"));
        if (_citations.Count < MaxCitations && _citations.Add(citation)) output.Add(citation);
    }

    private static int Place(JsonElement annotation, string name) => (int)Math.Clamp(annotation.Number(name) ?? 0, 0, int.MaxValue);

    private void Result(JsonElement item, List<AgentEvent> output)
    {
        if (item.Text("call_id") is not { } id || !_results.Add(id)) return;
        var text = item.Text("output") ?? Join([.. item.Items("output")], null, "text") ?? "";
        output.Add(new AgentToolResult(id, text));
    }

    /// <summary>The last event: items that no event told are taken from it, then usage and why it ended.</summary>
    private void Finish(JsonElement response, bool incomplete, List<AgentEvent> output, bool failed = false)
    {
        if (!failed)
        {
            var messages = 0;
            foreach (var item in response.Items("output"))
            {
                if (item.Text("type") != "message") Item(item, output);
                else if (++messages > _messages) Message(item, output);
            }

            GiveHeld(incomplete || response.Text("status") == "incomplete", output);
            if (_text is { IsEmpty: false } || _refusal is { IsEmpty: false }) Close(output);
            else if (_messages == 0 && _calls.Count == 0) Close(output);
        }

        if (response.Member("usage") is { ValueKind: JsonValueKind.Object } usage)
        {
            output.Add(new AgentUsage(
                usage.Number("input_tokens") ?? 0,
                usage.Number("output_tokens") ?? 0,
                usage.Member("input_tokens_details").Number("cached_tokens") ?? 0,
                usage.Member("output_tokens_details").Number("reasoning_tokens") ?? 0));
        }

        if (failed) throw faults.Told(response);
        var reason = response.Member("incomplete_details").Text("reason");
        if (incomplete || response.Text("status") == "incomplete")
            output.Add(new AgentFinish(reason switch
            {
                "content_filter" => FinishReason.ContentFilter,
                null or "max_output_tokens" or "max_tokens" or "length" => FinishReason.Length,
                _ => FinishReason.Unknown,
            }));
        else
            output.Add(new AgentFinish(_calls.Except(_results).Any() ? FinishReason.ToolCalls : FinishReason.Stop));
    }

    private void Show(string suffix, List<AgentEvent> output)
    {
        if (suffix.Length == 0) return;
        HasBegun = true;
        output.Add(new AgentPartial(suffix));
    }

    private void Refuse(string suffix, List<AgentEvent> output)
    {
        if (suffix.Length == 0) return;
        HasBegun = true;
        output.Add(new AgentRefusal(suffix));
    }

    private void Reason(string? delta, bool isSummary, List<AgentEvent> output)
    {
        if (string.IsNullOrEmpty(delta)) return;
        HasBegun = true;
        // Summaries come in parts; as one text they are paragraphs.
        output.Add(new AgentReasoning(_breakBeforeReasoning ? "\n\n" + delta : delta, isSummary));
        _breakBeforeReasoning = false;
        _reasoned = _reasonedHere = true;
    }

    private static string? Join(List<JsonElement> parts, string? type, string member)
    {
        StringBuilder? text = null;
        foreach (var part in parts)
        {
            if (type is not null && part.Text("type") != type) continue;
            if (part.Text(member) is { } piece) (text ??= new StringBuilder()).Append(piece);
        }

        return text?.ToString();
    }
}
