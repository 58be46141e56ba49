using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Reads <c>input</c>: items with or without a type, contents as text or parts.</summary>
internal static class InputReader
{
    private const int MaxId = 256;
    private const int MaxCallId = 64;

    public static IReadOnlyList<ResponseItem> Read(JsonElement body, bool bareParts)
    {
        if (body.Member("input") is not { } input) return [];
        if (input.ValueKind == JsonValueKind.String) return [new MessageItem("user", [new InputTextPart(body.Text("input", ResponseRequestReader.MaxText)!)])];
        if (input.ValueKind != JsonValueKind.Array) throw new ResponseRequestException("input must be a string or a list of items", "input", "invalid_type");
        return ReadItems(input, bareParts);
    }

    public static IReadOnlyList<ResponseItem> ReadItems(JsonElement list, bool bareParts)
    {
        if (list.GetArrayLength() > ResponseRequestReader.MaxItems)
            throw new ResponseRequestException($"input may have at most {ResponseRequestReader.MaxItems} items", "input");
        var items = new List<ResponseItem>(list.GetArrayLength());
        List<ContentPart>? loose = null;
        var index = -1;
        foreach (var element in list.EnumerateArray())
        {
            var place = $"input[{++index}]";
            if (element.ValueKind != JsonValueKind.Object) throw new ResponseRequestException($"{place} must be an object", place, "invalid_type");
            if (bareParts && element.Member("role") is null && element.Member("type") is { ValueKind: JsonValueKind.String } type && type.GetString() is "input_text" or "input_image" or "input_file")
            {
                if (loose is null) items.Add(new MessageItem("user", loose = []));
                loose.Add(PartReader.Read(element, place));
                continue;
            }

            loose = null;
            items.Add(ReadItem(element, place + "."));
        }

        return items;
    }

    private static ResponseItem ReadItem(JsonElement item, string place)
    {
        var id = item.Text("id", MaxId, place);
        var type = item.Text("type", MaxId, place) ?? Guess(item);
        return type switch
        {
            "message" => ReadMessage(item, place) with { Id = id, Status = item.Text("status", MaxId, place) },
            "function_call" => new FunctionCallItem(ReadCallId(item, place), ToolsReader.ReadName(item, place), item.RequiredText("arguments", ResponseRequestReader.MaxText, place))
            {
                Id = id,
                Status = ReadStatus(item, place),
            },
            "function_call_output" => ReadOutput(item, place) with { Id = id, Status = ReadStatus(item, place) },
            "reasoning" => ReadReasoning(item, place) with { Id = id, Status = item.Text("status", MaxId, place) },
            "compaction" => new CompactionItem(item.RequiredText("encrypted_content", ResponseRequestReader.MaxText, place)) { Id = id },
            "item_reference" => new ItemReference { Id = id ?? throw MemberReader.Missing(place + "id") },
            null => throw new ResponseRequestException($"{place}type is required", place + "type", "missing_required_parameter"),
            _ => throw new ResponseRequestException(
                $"{place}type must be message, function_call, function_call_output, reasoning, compaction or item_reference", place + "type", "invalid_value"),
        };
    }

    // Clients leave the type out where it is plain.
    private static string? Guess(JsonElement item)
    {
        if (item.Member("role") is not null) return "message";
        if (item.Member("call_id") is not null) return item.Member("output") is not null ? "function_call_output" : "function_call";
        return item.Member("id") is not null && item.Member("content") is null ? "item_reference" : null;
    }

    private static MessageItem ReadMessage(JsonElement item, string place)
    {
        var role = item.Word("role", place, "user", "assistant", "system", "developer") ?? throw MemberReader.Missing(place + "role");
        var phase = role == "assistant" ? item.Word("phase", place, "commentary", "final_answer") : null;
        if (item.Member("content") is not { } content) throw MemberReader.Missing(place + "content");
        if (content.ValueKind == JsonValueKind.String)
        {
            var text = item.Text("content", ResponseRequestReader.MaxText, place)!;
            return new MessageItem(role, [role == "assistant" ? new OutputTextPart(text) : new InputTextPart(text)]) { Phase = phase };
        }

        var parts = ReadParts(content, place + "content");
        for (var i = 0; i < parts.Count; i++)
        {
            var fits = (role, parts[i]) switch
            {
                ("assistant", OutputTextPart or RefusalPart) => true,
                ("user", InputTextPart or InputImagePart or InputFilePart) => true,
                ("system" or "developer", InputTextPart) => true,
                _ => false,
            };
            if (fits) continue;
            // Some clients give back what the assistant said as input.
            if (role == "assistant" && parts[i] is InputTextPart said) parts[i] = new OutputTextPart(said.Text);
            else throw new ResponseRequestException($"{place}content[{i}].type doesn't fit a message of role {role}", $"{place}content[{i}].type", "invalid_value");
        }

        return new MessageItem(role, parts) { Phase = phase };
    }

    private static FunctionCallOutputItem ReadOutput(JsonElement item, string place)
    {
        var callId = ReadCallId(item, place);
        if (item.Member("output") is not { } output) throw MemberReader.Missing(place + "output");
        if (output.ValueKind == JsonValueKind.String) return new FunctionCallOutputItem(callId, item.Text("output", ResponseRequestReader.MaxText, place));
        var parts = ReadParts(output, place + "output");
        var wrong = parts.FindIndex(part => part is not (InputTextPart or InputImagePart or InputFilePart or InputVideoPart));
        if (wrong >= 0) throw new ResponseRequestException($"{place}output[{wrong}].type doesn't fit the output of a function", $"{place}output[{wrong}].type", "invalid_value");
        return new FunctionCallOutputItem(callId, null, parts);
    }

    private static ReasoningItem ReadReasoning(JsonElement item, string place)
    {
        if (item.Member("summary") is not { } summary) throw MemberReader.Missing(place + "summary");
        return new ReasoningItem(
            ReadParts(summary, place + "summary"),
            item.Member("content") is { } content ? ReadParts(content, place + "content") : null,
            item.Text("encrypted_content", ResponseRequestReader.MaxText, place));
    }

    private static string ReadCallId(JsonElement item, string place)
    {
        var id = item.RequiredText("call_id", MaxCallId, place);
        return id.Length > 0 ? id : throw new ResponseRequestException($"{place}call_id must not be empty", place + "call_id", "invalid_value");
    }

    private static string? ReadStatus(JsonElement item, string place) => item.Word("status", place, "in_progress", "completed", "incomplete");

    private static List<ContentPart> ReadParts(JsonElement list, string place)
    {
        if (list.ValueKind != JsonValueKind.Array) throw new ResponseRequestException($"{place} must be a string or a list of parts", place, "invalid_type");
        if (list.GetArrayLength() > ResponseRequestReader.MaxItems)
            throw new ResponseRequestException($"{place} may have at most {ResponseRequestReader.MaxItems} parts", place);
        var parts = new List<ContentPart>(list.GetArrayLength());
        foreach (var part in list.EnumerateArray()) parts.Add(PartReader.Read(part, $"{place}[{parts.Count}]"));
        return parts;
    }
}
