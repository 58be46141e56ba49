using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>Reads members of what a client sent. All of it is a stranger's.</summary>
internal static class Params
{
    /// <summary>The longest text that is an id, a name or a slot.</summary>
    public const int LongestId = 128;

    /// <summary>A text, or null when it isn't there or null.</summary>
    public static string? Text(JsonElement from, string name, int longest = LongestId, int code = RpcFault.InvalidParams)
    {
        if (from.ValueKind != JsonValueKind.Object || !from.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null) return null;
        if (value.ValueKind != JsonValueKind.String) throw new RpcFault(code, $"{name} must be a text");
        string text;
        try
        {
            text = value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new RpcFault(code, $"{name} is no sound text");
        }

        return text.Length <= longest ? text : throw new RpcFault(code, $"{name} has at most {longest} characters");
    }

    /// <summary>A text that must be there.</summary>
    public static string Needed(JsonElement from, string name, int longest = LongestId, int code = RpcFault.InvalidParams) =>
        Text(from, name, longest, code) is { Length: > 0 } text ? text : throw new RpcFault(code, $"{name} is missing");

    /// <summary>A whole number.</summary>
    public static long Number(JsonElement from, string name, long fallback, long minimum, long maximum)
    {
        if (from.ValueKind != JsonValueKind.Object || !from.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null) return fallback;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out var number) || number < minimum || number > maximum)
            throw new RpcFault(RpcFault.InvalidParams, $"{name} must be a whole number from {minimum} to {maximum}");
        return number;
    }

    /// <summary>An object, or null when it isn't there.</summary>
    public static JsonElement? Object(JsonElement from, string name, int code = RpcFault.InvalidParams)
    {
        if (from.ValueKind != JsonValueKind.Object || !from.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null) return null;
        return value.ValueKind == JsonValueKind.Object ? value : throw new RpcFault(code, $"{name} must be an object");
    }

    /// <summary>True where a member is true.</summary>
    public static bool Flag(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    /// <summary>A list of texts, at most so many.</summary>
    public static IReadOnlyList<string> Texts(JsonElement from, string name, int most)
    {
        if (from.ValueKind != JsonValueKind.Object || !from.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.Array)
            throw new RpcFault(RpcFault.InvalidParams, $"{name} must be a list");
        if (value.GetArrayLength() > most) throw new RpcFault(RpcFault.InvalidParams, $"{name} has at most {most} items");
        var all = new List<string>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || item.GetString() is not { Length: > 0 and <= LongestId } text)
                throw new RpcFault(RpcFault.InvalidParams, $"{name} has an item that is no text of 1 to {LongestId} characters");
            all.Add(text);
        }

        return all;
    }
}
