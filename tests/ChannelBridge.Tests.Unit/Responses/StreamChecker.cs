using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>
/// Reads a stream as a strict client would, knowing only the spec: the order of events, their indexes and ids, that deltas add up, that what is done was open,
/// and that the last snapshot says what the events said.
/// </summary>
public sealed class StreamChecker
{
    private readonly List<string> _faults = [];
    private readonly List<JsonNode> _items = [];
    private readonly HashSet<string> _ids = [];
    private string _stage = "";
    private long _sequence;
    private string? _id;
    private JsonNode? _item;
    private string? _part;
    private StringBuilder? _text;
    private int _parts;
    private int _summaries;
    private bool _textDone;
    private bool _cutOff;

    /// <summary>The last snapshot.</summary>
    public JsonNode? Final { get; private set; }

    /// <summary>The texts of all messages, as deltas gave them.</summary>
    public List<string> Messages { get; } = [];

    /// <summary>The deltas of texts, one by one.</summary>
    public List<string> Deltas { get; } = [];

    /// <summary>The types, in order.</summary>
    public List<string> Types { get; } = [];

    /// <summary>Checks a whole stream.</summary>
    public static StreamChecker Check(IEnumerable<JsonNode> events, bool whole = true)
    {
        var checker = new StreamChecker();
        foreach (var one in events) checker.Take(one);
        if (whole && checker.Final is null) checker._faults.Add("the stream has no terminal event");
        Assert.True(checker._faults.Count == 0, string.Join('\n', checker._faults.Take(20)));
        return checker;
    }

    private void Take(JsonNode one)
    {
        var type = (string)one["type"]!;
        Types.Add(type);
        foreach (var fault in ContractSchema.CheckEvent(one)) Fault(type, fault);
        Expect(type, (long)one["sequence_number"]! == _sequence, $"sequence_number is {one["sequence_number"]}, not {_sequence}");
        _sequence++;
        Expect(type, Final is null, "comes after the terminal event");
        switch (type)
        {
            case "response.created":
                Expect(type, _stage == "", "isn't the first event");
                _stage = "created";
                Snapshot(type, one, "in_progress", "queued");
                break;
            case "response.queued":
                Expect(type, _stage == "created", $"comes after {_stage}");
                _stage = "queued";
                Snapshot(type, one, "queued");
                break;
            case "response.in_progress":
                Expect(type, _stage is "created" or "queued", $"comes after {_stage}");
                _stage = "in_progress";
                Snapshot(type, one, "in_progress");
                break;
            case "response.completed" or "response.incomplete" or "response.failed":
                Terminal(type, one);
                break;
            case "response.output_item.added":
                Added(type, one);
                break;
            case "response.output_item.done":
                Done(type, one);
                break;
            case "response.content_part.added" or "response.reasoning_summary_part.added":
                PartAdded(type, one);
                break;
            case "response.content_part.done" or "response.reasoning_summary_part.done":
                PartDone(type, one);
                break;
            case "error":
                break;
            case "response.output_text.annotation.added":
                Expect(type, _part == "output_text", "has no open text");
                break;
            default:
                if (type.EndsWith(".delta", StringComparison.Ordinal)) Delta(type, one);
                else TextDone(type, one);
                break;
        }
    }

    private void Snapshot(string type, JsonNode one, params string[] statuses)
    {
        var response = one["response"]!;
        // The 31 of the spec, and access_programs, which OpenAI's types require.
        Expect(type, response.AsObject().Count == 32, $"the snapshot has {response.AsObject().Count} members");
        _id ??= (string)response["id"]!;
        Expect(type, (string)response["id"]! == _id, "is of another response");
        Expect(type, statuses.Contains((string)response["status"]!), $"has the status {response["status"]}");
    }

    private void Terminal(string type, JsonNode one)
    {
        Snapshot(type, one, type["response.".Length..]);
        var response = one["response"]!;
        Expect(type, type == "response.failed" ? _stage != "" : _stage == "in_progress", $"comes after '{_stage}'");
        Expect(type, _item is null, "leaves an item open");
        Expect(type, type == "response.failed" == (response["error"] is not null), "and error disagree");
        Expect(type, type == "response.incomplete" == (response["incomplete_details"] is not null), "and incomplete_details disagree");
        Expect(type, type == "response.completed" == (response["completed_at"] is not null), "and completed_at disagree");
        Expect(type, !_cutOff || type == "response.incomplete", "has an incomplete item");
        Expect(type, JsonNode.DeepEquals(response["output"], new JsonArray([.. _items.Select(item => item.DeepClone())])), "has another output than the events gave");
        Final = response;
    }

    private void Added(string type, JsonNode one)
    {
        Expect(type, _stage == "in_progress", $"comes after {_stage}");
        Expect(type, _item is null, "comes while an item is open");
        Expect(type, !_cutOff, "comes after an incomplete item");
        Expect(type, (int)one["output_index"]! == _items.Count, $"has the index {one["output_index"]}");
        _item = one["item"]!;
        Expect(type, (string?)_item["status"] == "in_progress", "isn't in progress");
        Expect(type, _ids.Add((string)_item["id"]!), "has an id that was used");
        _parts = _summaries = 0;
        _part = null;
        _text = Kind() == "function_call" ? new StringBuilder() : null;
        _textDone = false;
    }

    private void Done(string type, JsonNode one)
    {
        Expect(type, _item is not null && _part is null && (string)one["item"]!["id"]! == (string)_item["id"]!, "closes what isn't open");
        var item = one["item"]!;
        Expect(type, (int)one["output_index"]! == _items.Count, "has a wrong index");
        Expect(type, (string?)item["status"] is "completed" or "incomplete", $"has the status {item["status"]}");
        _cutOff = (string?)item["status"] == "incomplete";
        Expect(type, (string)item["type"]! == Kind(), "has changed its type");
        if (Kind() == "message") Expect(type, item["content"]!.AsArray().Count == _parts, "has other parts than the events gave");
        if (Kind() == "reasoning") Expect(type, item["summary"]!.AsArray().Count == _summaries, "has another summary than the events gave");
        if (Kind() == "function_call")
            Expect(type, _textDone && (string)item["arguments"]! == _text!.ToString(), "has other arguments than the deltas");
        _items.Add(item.DeepClone());
        _item = null;
    }

    private void PartAdded(string type, JsonNode one)
    {
        Place(type, one);
        Expect(type, _part is null, "comes while a part is open");
        var summary = type.Contains("summary", StringComparison.Ordinal);
        Expect(type, (int)one[summary ? "summary_index" : "content_index"]! == (summary ? _summaries : _parts), "has a wrong index");
        _part = (string)one["part"]!["type"]!;
        Expect(type, TextOf(one["part"]!) == "", "isn't empty");
        _text = new StringBuilder();
        _textDone = false;
    }

    private void Delta(string type, JsonNode one)
    {
        Place(type, one);
        Expect(type, _text is not null && !_textDone && Fits(type), $"has no open part (it is {_part})");
        var delta = (string)one["delta"]!;
        Expect(type, delta.Length > 0, "is empty");
        Expect(type, !char.IsLowSurrogate(delta[0]) && !char.IsHighSurrogate(delta[^1]), "splits a surrogate pair");
        _text?.Append(delta);
        if (_part == "output_text") Deltas.Add(delta);
    }

    private void TextDone(string type, JsonNode one)
    {
        Place(type, one);
        Expect(type, _text is not null && !_textDone && Fits(type), "has no open part");
        var whole = (string)(one["text"] ?? one["refusal"] ?? one["arguments"])!;
        Expect(type, whole == _text?.ToString(), "isn't what the deltas gave");
        _textDone = true;
    }

    private void PartDone(string type, JsonNode one)
    {
        Place(type, one);
        Expect(type, _part == (string)one["part"]!["type"]! && _textDone, "closes what isn't open or whose text isn't done");
        Expect(type, TextOf(one["part"]!) == _text?.ToString(), "isn't what the deltas gave");
        if (_part == "output_text") Messages.Add(_text!.ToString());
        if (type.Contains("summary", StringComparison.Ordinal)) _summaries++;
        else _parts++;
        _part = null;
        _text = null;
    }

    private void Place(string type, JsonNode one)
    {
        Expect(type, _item is not null && (string)one["item_id"]! == (string)_item["id"]!, "is of an item that isn't open");
        Expect(type, (int)one["output_index"]! == _items.Count, "has a wrong output_index");
    }

    private bool Fits(string type) => (type.Split('.')[1], _part ?? Kind()) is
        ("output_text", "output_text") or ("refusal", "refusal") or ("reasoning_summary_text", "summary_text") or ("reasoning", "reasoning_text")
        or ("function_call_arguments", "function_call");

    private string Kind() => (string?)_item?["type"] ?? "nothing";

    private static string TextOf(JsonNode part) => (string)(part["text"] ?? part["refusal"])!;

    private void Expect(string type, bool holds, string fault)
    {
        if (!holds) Fault(type, fault);
    }

    private void Fault(string type, string fault) => _faults.Add($"event {_sequence} {type}: {fault}");
}
