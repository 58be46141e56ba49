using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace JujiCommunity;

/// <summary>Reads parameters. What the skill leaves out it sends as null: both are absent.</summary>
public static class Arguments
{
    private const int MostText = 100_000;
    private const int MostItems = 200;

    public static long Id(this JsonElement parameters, string name) =>
        parameters.OptionalId(name) ?? throw BridgeException.Invalid($"{name} must be a whole number above 0");

    public static long? OptionalId(this JsonElement parameters, string name)
    {
        if (!Has(parameters, name, out var value)) return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var id) && id > 0 ? id : throw BridgeException.Invalid($"{name} must be a whole number above 0");
    }

    public static bool Flag(this JsonElement parameters, string name, bool? fallback = null) => !Has(parameters, name, out var value)
        ? fallback ?? throw BridgeException.Invalid($"{name} must be true or false")
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw BridgeException.Invalid($"{name} must be true or false");

    public static string Text(this JsonElement parameters, string name) =>
        parameters.OptionalText(name) is { } text && text.Trim().Length > 0 ? text : throw BridgeException.Invalid($"{name} must be a text");

    public static string? OptionalText(this JsonElement parameters, string name)
    {
        if (!Has(parameters, name, out var value)) return null;
        return value.ValueKind == JsonValueKind.String && value.GetString() is { Length: <= MostText } text
            ? text
            : throw BridgeException.Invalid($"{name} must be a text of at most {MostText} characters");
    }

    public static IReadOnlyList<string> Texts(this JsonElement parameters, string name)
    {
        if (!Has(parameters, name, out var value)) return [];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > MostItems || value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            throw BridgeException.Invalid($"{name} must be a list of at most {MostItems} texts");
        return [.. value.EnumerateArray().Select(item => item.GetString()!)];
    }

    /// <summary>A value as it is, whatever it is: a total supply may have more digits than any number type.</summary>
    public static JsonNode? Raw(this JsonElement parameters, string name) => Has(parameters, name, out var value) ? JsonNode.Parse(value.GetRawText()) : null;

    /// <summary>One of some words.</summary>
    public static string Choice(this JsonElement parameters, string name, string? fallback, params string[] words)
    {
        var text = parameters.OptionalText(name) ?? fallback;
        return text is not null && words.FirstOrDefault(word => string.Equals(word, text, StringComparison.OrdinalIgnoreCase)) is { } known
            ? known
            : throw BridgeException.Invalid($"{name} must be one of {string.Join(", ", words)}");
    }

    /// <summary>The part of a list that <c>offset</c> and <c>limit</c> ask for.</summary>
    public static JsonArray Part(this JsonElement parameters, IEnumerable<JsonObject> things)
    {
        var limit = Number(parameters, "limit", 20, 1, MostItems);
        var offset = Number(parameters, "offset", 0, 0, int.MaxValue);
        return [.. things.Skip(offset).Take(limit)];
    }

    private static int Number(JsonElement parameters, string name, int fallback, int minimum, int maximum)
    {
        if (!Has(parameters, name, out var value)) return fallback;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= minimum && number <= maximum
            ? number
            : throw BridgeException.Invalid($"{name} must be {minimum} to {maximum}");
    }

    private static bool Has(JsonElement parameters, string name, out JsonElement value)
    {
        value = default;
        return parameters.ValueKind == JsonValueKind.Object && parameters.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;
    }
}
