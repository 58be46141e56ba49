using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Agents.ChatCompletions;

/// <summary>What a server wants back with its reasoning: the name of the field that it used, and OpenRouter's
/// <c>reasoning_details</c>.</summary>
internal sealed class ReasoningExtra
{
    /// <summary>The member with the field's name.</summary>
    public const string FieldMember = "field";

    /// <summary>The member with the details.</summary>
    public const string DetailsMember = "reasoning_details";

    private const int MaxDetails = 10_000;

    private readonly List<JsonObject> _details = [];

    /// <summary>The field in which the reasoning came.</summary>
    public string? Field { get; set; }

    /// <summary>How many details there are.</summary>
    public int Count => _details.Count;

    /// <summary>Takes more details: pieces of the same one are put together.</summary>
    public void Add(IEnumerable<JsonElement> details)
    {
        foreach (var detail in details)
        {
            if (detail.ValueKind != JsonValueKind.Object || JsonObject.Create(detail) is not { } piece) continue;
            var last = _details.LastOrDefault();
            var isMore = last is not null && Same(last, piece, "type") && Same(last, piece, "index") && !Same(last, piece, "id", known: true);
            if (isMore) Merge(last!, piece);
            else if (_details.Count < MaxDetails) _details.Add((JsonObject)piece.DeepClone());
        }
    }

    /// <summary>All of it as one object, or null when there is nothing to give back.</summary>
    public JsonElement? Take()
    {
        if (_details.Count == 0 && Field is null) return null;
        var whole = new JsonObject();
        if (Field is not null) whole[FieldMember] = Field;
        if (_details.Count > 0) whole[DetailsMember] = new JsonArray([.. _details.Select(detail => detail.DeepClone())]);
        using var document = JsonDocument.Parse(whole.ToJsonString(), new JsonDocumentOptions { MaxDepth = 256 });
        return document.RootElement.Clone();
    }

    /// <summary>True when both say the same; with <paramref name="known"/> true when both say something, and not the same.</summary>
    private static bool Same(JsonObject one, JsonObject other, string name, bool known = false)
    {
        var (left, right) = (one[name]?.ToJsonString(), other[name]?.ToJsonString());
        return known ? left is not null && right is not null && left != right : left == right;
    }

    private static void Merge(JsonObject whole, JsonObject piece)
    {
        foreach (var (name, value) in piece)
        {
            if (value is null) continue;
            var grows = name is "text" or "summary" or "data" && whole[name]?.GetValueKind() == JsonValueKind.String;
            if (grows && value.GetValueKind() == JsonValueKind.String)
                whole[name] = whole[name]!.GetValue<string>() + value.GetValue<string>();
            else whole[name] = value.DeepClone();
        }
    }
}
