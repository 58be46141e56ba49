using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Reads the members of an object: absent and null are both null, anything of another type or out of range is an error with its place.</summary>
internal static class MemberReader
{
    /// <summary>A member that isn't null, or null.</summary>
    public static JsonElement? Member(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static string? Text(this JsonElement element, string name, int longest, string place = "")
    {
        if (element.Member(name) is not { } value) return null;
        var text = value.String(place + name);
        if (text.Length > longest) throw new ResponseRequestException($"{place}{name} may have at most {longest} characters", place + name, "string_too_long");
        return text;
    }

    public static string RequiredText(this JsonElement element, string name, int longest, string place) =>
        element.Text(name, longest, place) ?? throw Missing(place + name);

    public static bool? Flag(this JsonElement element, string name, string place = "") => element.Member(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw new ResponseRequestException($"{place}{name} must be true or false", place + name, "invalid_type"),
    };

    public static double? Number(this JsonElement element, string name, double smallest, double largest)
    {
        if (element.Member(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var number) || !double.IsFinite(number))
            throw new ResponseRequestException($"{name} must be a number", name, "invalid_type");
        return number >= smallest && number <= largest
            ? number
            : throw new ResponseRequestException($"{name} must be between {smallest} and {largest}", name, "invalid_value");
    }

    public static int? Integer(this JsonElement element, string name, int smallest, int largest)
    {
        if (element.Member(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var number) || number != Math.Floor(number))
            throw new ResponseRequestException($"{name} must be an integer", name, "invalid_type");
        if (number >= smallest && number <= largest) return (int)number;
        throw new ResponseRequestException(
            largest == int.MaxValue ? $"{name} must be at least {smallest}" : $"{name} must be between {smallest} and {largest}", name, "invalid_value");
    }

    public static string? Word(this JsonElement element, string name, string place, params ReadOnlySpan<string> words)
    {
        if (element.Member(name) is not { } value) return null;
        var text = value.String(place + name);
        foreach (var word in words)
        {
            if (word == text) return word;
        }

        throw new ResponseRequestException($"{place}{name} must be one of {string.Join(", ", words)}", place + name, "invalid_value");
    }

    public static JsonElement? Object(this JsonElement element, string name, string place = "")
    {
        if (element.Member(name) is not { } value) return null;
        return value.ValueKind == JsonValueKind.Object ? value : throw new ResponseRequestException($"{place}{name} must be an object", place + name, "invalid_type");
    }

    public static string String(this JsonElement value, string place)
    {
        if (value.ValueKind != JsonValueKind.String) throw new ResponseRequestException($"{place} must be a string", place, "invalid_type");
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // A \u escape that is half of a pair: JSON allows it, no encoding of text can hold it.
            throw new ResponseRequestException($"{place} is not valid Unicode: it has half of a surrogate pair", place, "invalid_value");
        }
    }

    public static ResponseRequestException Missing(string place) => new($"{place} is required", place, "missing_required_parameter");
}
