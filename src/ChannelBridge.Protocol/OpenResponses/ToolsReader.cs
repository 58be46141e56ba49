using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>
/// Reads <c>tools</c> and <c>tool_choice</c>. Functions are taken, the functions and custom tools of namespaces, too, and custom tools
/// become functions with one text. What only OpenAI's own servers can do (<c>web_search</c>, <c>local_shell</c> …) isn't offered to the
/// agent; the client is told.
/// </summary>
internal static class ToolsReader
{
    /// <summary>The longest name of a function.</summary>
    public const int MaxName = 64;

    private const int MaxTools = 1024;
    private const int MaxAllowed = 128;
    private const int HashLength = 8;

    private static readonly JsonElement TextInput = JsonDocument.Parse(
        """{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}""")
        .RootElement;

    public static IReadOnlyList<FunctionTool> ReadTools(JsonElement body, List<string>? ignored)
    {
        if (body.Member("tools") is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array) throw new ResponseRequestException("tools must be a list", "tools", "invalid_type");
        var tools = new List<FunctionTool>(list.GetArrayLength());
        var index = 0;
        foreach (var tool in list.EnumerateArray()) ReadTool(tool, $"tools[{index++}]", null, null, tools, ignored);
        if (index > MaxTools || tools.Count > MaxTools)
            throw new ResponseRequestException($"tools may have at most {MaxTools} entries", "tools");
        return Offer(tools);
    }

    public static ToolChoice ReadChoice(JsonElement body, IReadOnlyList<FunctionTool> tools, List<string>? ignored)
    {
        const string Place = "tool_choice";
        if (body.Member(Place) is not { } choice) return ToolChoice.Auto;
        if (choice.ValueKind == JsonValueKind.String)
        {
            var mode = body.Word(Place, "", "auto", "required", "none")!;
            if (mode == "required" && tools.Count == 0)
                throw new ResponseRequestException(
                    "tool_choice is required, but there are no tools that this server can offer", Place, "invalid_value");
            return mode == "auto" ? ToolChoice.Auto : new ToolChoice(mode);
        }

        if (choice.ValueKind != JsonValueKind.Object) throw new ResponseRequestException("tool_choice must be a string or an object", Place, "invalid_type");
        var type = choice.RequiredText("type", MaxName, Place + ".");
        if (type is "function" or "custom") return new ToolChoice("required", ReadKnown(choice, Place + ".", tools).Name);
        if (type != "allowed_tools")
        {
            throw new ResponseRequestException(
                $"tool_choice.type must be function, custom or allowed_tools: this server has no tool of type {Show(type)} to call",
                Place + ".type",
                "invalid_value");
        }

        if (choice.Member("tools") is not { ValueKind: JsonValueKind.Array } allowed || allowed.GetArrayLength() is 0 or > MaxAllowed)
            throw new ResponseRequestException($"tool_choice.tools must be a list of 1 to {MaxAllowed} functions", Place + ".tools", "invalid_value");
        var names = new List<string>();
        var index = 0;
        foreach (var entry in allowed.EnumerateArray())
        {
            var place = $"{Place}.tools[{index++}]";
            if (entry.ValueKind != JsonValueKind.Object) throw new ResponseRequestException($"{place} must be an object", place, "invalid_type");
            var kind = entry.RequiredText("type", MaxName, place + ".");
            if (kind is "function" or "custom") names.Add(ReadKnown(entry, place + ".", tools).Name);
            else ignored?.Add($"{place} ({Show(kind)})");
        }

        var word = choice.Word("mode", Place + ".", "auto", "required", "none") ?? "auto";
        if (names.Count > 0) return new ToolChoice(word, null, names);
        if (word == "required") throw new ResponseRequestException(
            "tool_choice allows no tool that this server can offer, but requires one", Place + ".tools", "invalid_value");
        return new ToolChoice("none");
    }

    /// <summary>The name of a function, as the spec allows it.</summary>
    public static string ReadName(JsonElement element, string place)
    {
        var name = element.RequiredText("name", MaxName, place);
        if (name.Length > 0 && name.All(IsOfName)) return name;
        throw new ResponseRequestException($"{place}name must be 1 to {MaxName} letters, digits, underscores and hyphens", place + "name", "invalid_value");
    }

    /// <summary>A word of the client's as it may stand in a message or a header.</summary>
    public static string Show(string word)
    {
        const int Longest = 40;
        return new string([.. word.Take(Longest).Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or ':' ? c : '?')]);
    }

    private static bool IsOfName(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-';

    private static void ReadTool(
        JsonElement tool, string place, string? space, string? about, List<FunctionTool> tools, List<string>? ignored)
    {
        if (tool.ValueKind != JsonValueKind.Object) throw new ResponseRequestException($"{place} must be an object", place, "invalid_type");
        var at = place + ".";
        var type = tool.RequiredText("type", 256, at);
        switch (type)
        {
            case "function":
                tools.Add(new FunctionTool(
                    ReadName(tool, at),
                    tool.Text("description", ResponseRequestReader.MaxText, at),
                    tool.Object("parameters", at)?.Clone(),
                    tool.Flag("strict", at))
                { Namespace = space, NamespaceDescription = about });
                break;
            case "custom":
                tools.Add(ReadCustom(tool, at) with { Namespace = space, NamespaceDescription = about });
                break;
            case "namespace" when space is null:
                var name = tool.RequiredText("name", 256, at);
                var description = tool.Text("description", ResponseRequestReader.MaxText, at);
                if (tool.Member("tools") is not { ValueKind: JsonValueKind.Array } inner)
                    throw new ResponseRequestException($"{at}tools must be a list", at + "tools", "invalid_type");
                if (inner.GetArrayLength() > MaxTools)
                    throw new ResponseRequestException($"{at}tools may have at most {MaxTools} entries", at + "tools");
                var index = 0;
                foreach (var member in inner.EnumerateArray()) ReadTool(member, $"{at}tools[{index++}]", name, description, tools, ignored);
                break;
            default:
                ignored?.Add($"{place} ({Show(type)})");
                break;
        }
    }

    private static FunctionTool ReadCustom(JsonElement tool, string place)
    {
        var name = ReadName(tool, place);
        var description = tool.Text("description", ResponseRequestReader.MaxText, place) ?? "";
        if (tool.Object("format", place) is { } format && format.Text("type", 64, place + "format.") == "grammar")
        {
            // A model that can't be held to a grammar can at least read it.
            var syntax = format.Text("syntax", 64, place + "format.");
            var definition = format.Text("definition", ResponseRequestReader.MaxText, place + "format.");
            description += $"\n\nThe input must follow this grammar ({syntax ?? "grammar"}):\n{definition}";
        }

        return new FunctionTool(name, description.Length > 0 ? description.TrimStart() : null, TextInput, null) { Source = tool.Clone() };
    }

    /// <summary>Gives each function a name of its own: a plain one where it is the only one, with the namespace before it
    /// otherwise.</summary>
    private static List<FunctionTool> Offer(List<FunctionTool> tools)
    {
        if (!tools.Exists(tool => tool.Namespace is not null || tool.IsCustom)) return tools;
        var taken = tools.Where(tool => tool.Namespace is null && !tool.IsCustom).Select(tool => tool.Name).ToHashSet(
            StringComparer.Ordinal);
        for (var i = 0; i < tools.Count; i++)
        {
            var tool = tools[i];
            if ((tool.Namespace is null && !tool.IsCustom) || taken.Add(tool.Name)) continue;
            var name = Join(tool.Namespace ?? "custom", tool.Name, "");
            for (var n = 2; !taken.Add(name); n++) name = Join(tool.Namespace ?? "custom", tool.Name, $"{n}");
            tools[i] = tool with { Name = name, OwnName = tool.Name };
        }

        return tools;
    }

    private static string Join(string space, string name, string number)
    {
        var joined = string.Concat(space.Select(c => IsOfName(c) ? c : '_')) + "__" + name + number;
        if (joined.Length <= MaxName) return joined;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(joined)))[..HashLength];
        return joined[..(MaxName - HashLength - 1)] + "_" + hash;
    }

    private static FunctionTool ReadKnown(JsonElement element, string place, IReadOnlyList<FunctionTool> tools)
    {
        var name = element.RequiredText("name", MaxName, place);
        var space = element.Text("namespace", 256, place);
        return tools.FirstOrDefault(tool => (tool.OwnName ?? tool.Name) == name && (space is null || tool.Namespace == space))
            ?? throw new ResponseRequestException($"{place}name is none of the tools", place + "name", "invalid_value");
    }
}
