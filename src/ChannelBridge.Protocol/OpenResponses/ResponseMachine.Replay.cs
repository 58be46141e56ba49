using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <content>A machine that stands where another one stopped.</content>
public sealed partial class ResponseMachine
{
    /// <summary>
    /// Makes a machine that stands behind events that were sent before, so that a stream whose process died can be ended or go on. It reads its own events only.
    /// </summary>
    /// <param name="events">The events from number 0 on, without a gap.</param>
    /// <param name="sink">Gets the further events.</param>
    /// <param name="openAIReasoningNames">See <see cref="OpenAIReasoningNames"/>.</param>
    /// <exception cref="JsonException">They aren't events of a machine.</exception>
    public static ResponseMachine Restore(IEnumerable<ReadOnlyMemory<byte>> events, ResponseEventSink sink, bool openAIReasoningNames = false)
    {
        ArgumentNullException.ThrowIfNull(events);
        ResponseMachine? machine = null;
        foreach (var json in events)
        {
            using var document = JsonDocument.Parse(json, ResponseRequestReader.Deep);
            var value = document.RootElement;
            var type = value.GetProperty("type").GetString()!;
            machine ??= FromSnapshot(value.GetProperty("response"), sink, openAIReasoningNames);
            machine.Repeat(type, value);
            if (machine.NextSequence != value.GetProperty("sequence_number").GetInt64() + 1) throw new JsonException("the events have a gap");
        }

        if (machine is null) throw new JsonException("there are no events");
        machine._muted = false;
        return machine;
    }

    private static ResponseMachine FromSnapshot(JsonElement response, ResponseEventSink sink, bool openAIReasoningNames)
    {
        var request = ResponseRequestReader.ReadSettings(response);
        var state = new ResponseState(response.GetProperty("id").GetString()!, response.GetProperty("model").GetString()!, response.GetProperty("created_at").GetInt64(), request);
        return new ResponseMachine(state, sink) { _muted = true, OpenAIReasoningNames = openAIReasoningNames };
    }

    private void Repeat(string type, JsonElement value)
    {
        switch (type)
        {
            case ResponseEventTypes.Created:
                Create();
                break;
            case ResponseEventTypes.Queued:
                Queue();
                break;
            case ResponseEventTypes.InProgress:
                Start();
                break;
            case ResponseEventTypes.ItemAdded:
                RepeatItem(value.GetProperty("item"));
                break;
            case ResponseEventTypes.PartAdded or ResponseEventTypes.SummaryPartAdded:
                OpenPart(Item(), value.GetProperty("part").GetProperty("type").GetString() switch
                {
                    "refusal" => PartKind.Refusal,
                    "summary_text" => PartKind.Summary,
                    "reasoning_text" => PartKind.Reasoning,
                    _ => PartKind.Text,
                });
                break;
            case ResponseEventTypes.TextDelta or ResponseEventTypes.RefusalDelta or ResponseEventTypes.SummaryDelta or ResponseEventTypes.ReasoningDelta
                or ResponseEventTypes.ReasoningTextDelta or ResponseEventTypes.ArgumentsDelta or ResponseEventTypes.CustomInputDelta:
                Grow(Item(), value.GetProperty("delta").GetString());
                break;
            case ResponseEventTypes.AnnotationAdded:
                Annotate(value.GetProperty("annotation"));
                break;
            case ResponseEventTypes.TextDone or ResponseEventTypes.RefusalDone or ResponseEventTypes.SummaryDone or ResponseEventTypes.ReasoningDone
                or ResponseEventTypes.ReasoningTextDone:
                RepeatTextDone(Item());
                break;
            case ResponseEventTypes.ArgumentsDone or ResponseEventTypes.CustomInputDone:
                ClosePart(Item());
                break;
            case ResponseEventTypes.PartDone or ResponseEventTypes.SummaryPartDone:
                RepeatPartDone(Item());
                break;
            case ResponseEventTypes.ItemDone:
                RepeatItemDone(value.GetProperty("item"));
                break;
            case ResponseEventTypes.Completed or ResponseEventTypes.Incomplete or ResponseEventTypes.Failed:
                NextSequence++;
                _stage = Stage.Ended;
                break;
            default:
                NextSequence++;
                break;
        }
    }

    private OpenItem Item() => _item ?? throw new JsonException("an event has no item");

    private void RepeatItem(JsonElement item)
    {
        var id = item.GetProperty("id").GetString()!;
        Open(item.GetProperty("type").GetString() switch
        {
            "reasoning" => new OpenItem(ItemKind.Reasoning, id, _output.Count),
            "function_call" or "custom_tool_call" => new OpenItem(ItemKind.Call, id, _output.Count)
            {
                CallId = item.GetProperty("call_id").GetString()!,
                Name = item.GetProperty("name").GetString()!,
                Namespace = item.TryGetProperty("namespace", out var space) ? space.GetString() : null,
                IsCustom = item.GetProperty("type").GetString() == "custom_tool_call",
                Extra = ReadExtra(item),
                Part = PartKind.Arguments,
            },
            "function_call_output" or "custom_tool_call_output" => new OpenItem(ItemKind.CallOutput, id, _output.Count)
            {
                CallId = item.GetProperty("call_id").GetString()!,
                IsCustom = item.GetProperty("type").GetString() == "custom_tool_call_output",
            },
            _ => new OpenItem(ItemKind.Message, id, _output.Count),
        });
    }

    private static JsonElement? ReadExtra(JsonElement item)
    {
        using var document = JsonDocument.Parse($"[{item.GetRawText()}]", ResponseRequestReader.Deep);
        return ResponseRequestReader.ReadItems(document.RootElement) is [FunctionCallItem { Extra: { } extra }] ? extra : null;
    }

    // Closing a part is two events here; a process may have died between them.
    private void RepeatTextDone(OpenItem item)
    {
        item.IsTextDone = true;
        NextSequence++;
    }

    private void RepeatPartDone(OpenItem item)
    {
        item.IsTextDone = true;
        ClosePart(item);
    }

    private void RepeatItemDone(JsonElement done)
    {
        var item = Item();
        if (item.Kind == ItemKind.CallOutput) item.Text.Append(done.GetProperty("output").GetString());
        if (item.Kind == ItemKind.Reasoning && done.TryGetProperty("encrypted_content", out var hidden)) item.Sealed = hidden.GetString();
        Close(
            done.GetProperty("status").GetString()!,
            done.TryGetProperty("phase", out var phase) ? phase.GetString() : null);
    }
}
