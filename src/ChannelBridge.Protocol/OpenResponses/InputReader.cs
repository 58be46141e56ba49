using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Reads <c>input</c>: items with or without a type, contents as text or parts.</summary>
/// <param name="bareParts">True to take parts at the top level.</param>
/// <param name="kept">
/// True for items that this side wrote: they have what clients aren't shown, and no bounds, because what was given out once must be taken
/// back.
/// </param>
/// <param name="ignored">Gets the places of items that are passed over; null: nobody is told.</param>
internal sealed class InputReader(bool bareParts, bool kept, List<string>? ignored)
{
    private const int MaxId = 256;

    // Providers make ids and names of any length, and the host has given them out.
    private const int MaxName = 65_536;

    private readonly PartReader _parts = new(kept ? int.MaxValue : ResponseRequestReader.MaxText);

    private int Longest => kept ? int.MaxValue : ResponseRequestReader.MaxText;

    public IReadOnlyList<ResponseItem> Read(JsonElement body)
    {
        if (body.Member("input") is not { } input) return [];
        if (input.ValueKind == JsonValueKind.String) return [new MessageItem("user", [new InputTextPart(body.Text("input", Longest)!)])];
        if (input.ValueKind != JsonValueKind.Array) throw new ResponseRequestException("input must be a string or a list of items", "input", "invalid_type");
        return ReadItems(input);
    }

    public IReadOnlyList<ResponseItem> ReadItems(JsonElement list)
    {
        if (!kept && list.GetArrayLength() > ResponseRequestReader.MaxItems)
            throw new ResponseRequestException($"input may have at most {ResponseRequestReader.MaxItems} items", "input");
        var items = new List<ResponseItem>(list.GetArrayLength());
        List<ContentPart>? loose = null;
        var index = -1;
        foreach (var element in list.EnumerateArray())
        {
            var place = $"input[{++index}]";
            if (element.ValueKind != JsonValueKind.Object) throw new ResponseRequestException($"{place} must be an object", place, "invalid_type");
            if (bareParts && element.Member("role") is null && element.Member("type") is { ValueKind: JsonValueKind.String } type
                && type.GetString() is "input_text" or "input_image" or "input_file")
            {
                if (loose is null) items.Add(new MessageItem("user", loose = []));
                loose.Add(_parts.Read(element, place));
                continue;
            }

            loose = null;
            if (ReadItem(element, place) is { } item) items.Add(item);
        }

        return items;
    }

    private ResponseItem? ReadItem(JsonElement item, string at)
    {
        var place = at + ".";
        var id = item.Text("id", kept ? int.MaxValue : MaxId, place);
        var type = item.Text("type", MaxId, place) ?? Guess(item);
        switch (type)
        {
            case "message":
                return ReadMessage(item, place) with { Id = id, Status = item.Text("status", MaxId, place) };
            case "function_call":
                return new FunctionCallItem(
                    ReadCallId(item, place), item.RequiredText("name", MaxName, place), item.RequiredText("arguments", int.MaxValue, place))
                {
                    Id = id,
                    Status = ReadStatus(item, place),
                    Namespace = item.Text("namespace", MaxName, place),
                    Extra = ReadExtra(item),
                };
            case "custom_tool_call":
                return new FunctionCallItem(
                    ReadCallId(item, place), item.RequiredText("name", MaxName, place), item.RequiredText("input", int.MaxValue, place))
                {
                    Id = id,
                    Status = ReadStatus(item, place),
                    Namespace = item.Text("namespace", MaxName, place),
                    IsCustom = true,
                    Extra = ReadExtra(item),
                };
            case "function_call_output" or "custom_tool_call_output":
                return ReadOutput(item, place) with
                {
                    Id = id,
                    Status = ReadStatus(item, place),
                    IsCustom = type == "custom_tool_call_output",
                };
            case "reasoning":
                return ReadReasoning(item, place) with { Id = id, Status = item.Text("status", MaxId, place) };
            case "compaction":
                return new CompactionItem(item.RequiredText("encrypted_content", int.MaxValue, place)) { Id = id };
            case "item_reference":
                return new ItemReference { Id = id ?? throw MemberReader.Missing(place + "id") };
            case null:
                throw new ResponseRequestException($"{place}type is required", place + "type", "missing_required_parameter");
            case var foreign when IsForeign(foreign):
                ignored?.Add($"{at} ({ToolsReader.Show(foreign)})");
                return null;
            default:
                throw new ResponseRequestException(
                    $"{place}type must be message, function_call, function_call_output, custom_tool_call, custom_tool_call_output, "
                    + "reasoning, compaction or item_reference",
                    place + "type",
                    "invalid_value");
        }
    }

    /// <summary>What other servers' tools have left in a conversation (<c>web_search_call</c>, <c>mcp_list_tools</c>, <c>acme:thing</c>):
    /// no agent here can read it.</summary>
    private static bool IsForeign(string type) =>
        type.EndsWith("_call", StringComparison.Ordinal) || type.EndsWith("_call_output", StringComparison.Ordinal)
        || type.StartsWith("mcp_", StringComparison.Ordinal) || type.StartsWith("tool_search_", StringComparison.Ordinal) || type.Contains(
            ':', StringComparison.Ordinal)
        || type is "ghost_snapshot" or "configuration_update" or "context_compaction";

    // Clients leave the type out where it is plain.
    private static string? Guess(JsonElement item)
    {
        if (item.Member("role") is not null) return "message";
        if (item.Member("call_id") is not null) return item.Member("output") is not null ? "function_call_output" : "function_call";
        return item.Member("id") is not null && item.Member("content") is null ? "item_reference" : null;
    }

    private MessageItem ReadMessage(JsonElement item, string place)
    {
        var role = item.Word("role", place, "user", "assistant", "system", "developer") ?? throw MemberReader.Missing(place + "role");
        var phase = role == "assistant" ? item.Word("phase", place, "commentary", "final_answer") : null;
        if (item.Member("content") is not { } content) throw MemberReader.Missing(place + "content");
        if (content.ValueKind == JsonValueKind.String)
        {
            var text = item.Text("content", role == "assistant" ? int.MaxValue : Longest, place)!;
            return new MessageItem(role, [role == "assistant" ? new OutputTextPart(text) : new InputTextPart(text)]) { Phase = phase };
        }

        var parts = ReadParts(content, place + "content");
        for (var i = 0; i < parts.Count; i++)
        {
            parts[i] = (role, parts[i]) switch
            {
                ("assistant", OutputTextPart or RefusalPart) => parts[i],
                ("user", InputTextPart or InputImagePart or InputFilePart) => parts[i],
                ("system" or "developer", InputTextPart) => parts[i],
                // Some clients give back what one side said as the other side's kind of text.
                ("assistant", InputTextPart said) => new OutputTextPart(said.Text),
                ("assistant", TextPart said) => new OutputTextPart(said.Text),
                (_, OutputTextPart said) => new InputTextPart(said.Text),
                (_, TextPart said) => new InputTextPart(said.Text),
                _ => throw new ResponseRequestException(
                    $"{place}content[{i}].type doesn't fit a message of role {role}", $"{place}content[{i}].type", "invalid_value"),
            };
        }

        return new MessageItem(role, parts) { Phase = phase };
    }

    private FunctionCallOutputItem ReadOutput(JsonElement item, string place)
    {
        var callId = ReadCallId(item, place);
        if (item.Member("output") is not { } output) throw MemberReader.Missing(place + "output");
        if (output.ValueKind == JsonValueKind.String) return new FunctionCallOutputItem(callId, item.Text("output", Longest, place));
        var parts = ReadParts(output, place + "output");
        for (var i = 0; i < parts.Count; i++)
        {
            parts[i] = parts[i] switch
            {
                InputTextPart or InputImagePart or InputFilePart or InputVideoPart => parts[i],
                OutputTextPart said => new InputTextPart(said.Text),
                TextPart said => new InputTextPart(said.Text),
                _ => throw new ResponseRequestException(
                    $"{place}output[{i}].type doesn't fit the output of a function", $"{place}output[{i}].type", "invalid_value"),
            };
        }

        return new FunctionCallOutputItem(callId, null, parts);
    }

    private ReasoningItem ReadReasoning(JsonElement item, string place) => new(
        item.Member("summary") is { } summary ? ReadParts(summary, place + "summary") : [],
        item.Member("content") is { } content ? ReadParts(content, place + "content") : null,
        item.Text("encrypted_content", int.MaxValue, place))
    {
        Extra = kept && item.Member(ResponseWriter.KeptExtra) is { ValueKind: JsonValueKind.Object } extra ? extra.Clone() : null,
    };

    private static string ReadCallId(JsonElement item, string place)
    {
        var id = item.RequiredText("call_id", MaxName, place);
        return id.Length > 0 ? id : throw new ResponseRequestException($"{place}call_id must not be empty", place + "call_id", "invalid_value");
    }

    private JsonElement? ReadExtra(JsonElement item)
    {
        if (kept && item.Member(ResponseWriter.KeptExtra) is { ValueKind: JsonValueKind.Object } whole) return whole.Clone();
        if (item.Member(ResponseWriter.ExtraContent) is not { ValueKind: JsonValueKind.Object } extra) return null;
        using var document = JsonDocument.Parse($$"""{"{{ResponseWriter.ExtraContent}}":{{extra.GetRawText()}}}""", ResponseRequestReader.Deep);
        return document.RootElement.Clone();
    }

    private static string? ReadStatus(JsonElement item, string place) =>
        item.Word("status", place, "in_progress", "completed", "incomplete", "failed");

    private List<ContentPart> ReadParts(JsonElement list, string place)
    {
        if (list.ValueKind != JsonValueKind.Array) throw new ResponseRequestException($"{place} must be a string or a list of parts", place, "invalid_type");
        if (!kept && list.GetArrayLength() > ResponseRequestReader.MaxItems)
            throw new ResponseRequestException($"{place} may have at most {ResponseRequestReader.MaxItems} parts", place);
        var parts = new List<ContentPart>(list.GetArrayLength());
        foreach (var part in list.EnumerateArray()) parts.Add(_parts.Read(part, $"{place}[{parts.Count}]"));
        return parts;
    }
}
