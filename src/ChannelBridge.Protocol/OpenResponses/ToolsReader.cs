using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Reads <c>tools</c> and <c>tool_choice</c>.</summary>
internal static class ToolsReader
{
    /// <summary>The longest name of a function.</summary>
    public const int MaxName = 64;

    private const int MaxTools = 1024;
    private const int MaxAllowed = 128;

    public static IReadOnlyList<FunctionTool> ReadTools(JsonElement body)
    {
        if (body.Member("tools") is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array) throw new ResponseRequestException("tools must be a list", "tools", "invalid_type");
        if (list.GetArrayLength() > MaxTools) throw new ResponseRequestException($"tools may have at most {MaxTools} entries", "tools");
        var tools = new List<FunctionTool>(list.GetArrayLength());
        foreach (var tool in list.EnumerateArray())
        {
            var place = $"tools[{tools.Count}]";
            if (tool.ValueKind != JsonValueKind.Object) throw new ResponseRequestException($"{place} must be an object", place, "invalid_type");
            place += ".";
            var type = tool.RequiredText("type", MaxName, place);
            if (type != "function") throw new ResponseRequestException($"{place}type must be function: this server has no tools of its own", place + "type", "invalid_value");
            tools.Add(new FunctionTool(
                ReadName(tool, place),
                tool.Text("description", ResponseRequestReader.MaxText, place),
                tool.Object("parameters", place)?.Clone(),
                tool.Flag("strict", place)));
        }

        return tools;
    }

    public static ToolChoice ReadChoice(JsonElement body, IReadOnlyList<FunctionTool> tools)
    {
        const string Place = "tool_choice";
        if (body.Member(Place) is not { } choice) return ToolChoice.Auto;
        if (choice.ValueKind == JsonValueKind.String)
        {
            var mode = body.Word(Place, "", "auto", "required", "none")!;
            if (mode == "required" && tools.Count == 0) throw new ResponseRequestException("tool_choice is required, but there are no tools", Place, "invalid_value");
            return mode == "auto" ? ToolChoice.Auto : new ToolChoice(mode);
        }

        if (choice.ValueKind != JsonValueKind.Object) throw new ResponseRequestException("tool_choice must be a string or an object", Place, "invalid_type");
        if (choice.Word("type", Place + ".", "function", "allowed_tools") is not { } type) throw MemberReader.Missing(Place + ".type");
        if (type == "function") return new ToolChoice("required", ReadKnown(choice, Place + ".", tools));

        if (choice.Member("tools") is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() is 0 or > MaxAllowed)
            throw new ResponseRequestException($"tool_choice.tools must be a list of 1 to {MaxAllowed} functions", Place + ".tools", "invalid_value");
        var names = new List<string>();
        foreach (var entry in list.EnumerateArray())
        {
            var place = $"{Place}.tools[{names.Count}]";
            if (entry.ValueKind != JsonValueKind.Object) throw new ResponseRequestException($"{place} must be an object", place, "invalid_type");
            if (entry.Word("type", place + ".", "function") is null) throw MemberReader.Missing(place + ".type");
            names.Add(ReadKnown(entry, place + ".", tools));
        }

        return new ToolChoice(choice.Word("mode", Place + ".", "auto", "required", "none") ?? "auto", null, names);
    }

    /// <summary>The name of a function, as the spec allows it.</summary>
    public static string ReadName(JsonElement element, string place)
    {
        var name = element.RequiredText("name", MaxName, place);
        if (name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')) return name;
        throw new ResponseRequestException($"{place}name must be 1 to {MaxName} letters, digits, underscores and hyphens", place + "name", "invalid_value");
    }

    private static string ReadKnown(JsonElement element, string place, IReadOnlyList<FunctionTool> tools)
    {
        var name = element.RequiredText("name", MaxName, place);
        return tools.Any(tool => tool.Name == name) ? name : throw new ResponseRequestException($"{place}name is none of the tools", place + "name", "invalid_value");
    }
}
