using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>Reads what a gateway sends: nothing of it can be relied upon.</summary>
internal static class Wire
{
    /// <summary>A member that is a text of a sound length; else null.</summary>
    public static string? Text(JsonElement json, string name, int longest = 64 * 1024)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(name, out var found) || found.ValueKind != JsonValueKind.String) return null;
        try
        {
            return found.GetString() is { } text && text.Length <= longest ? text : null;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair.
            return null;
        }
    }

    /// <summary>A member that is a whole number; else null.</summary>
    public static long? Whole(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Number && found.TryGetInt64(out var number)
            ? number
            : null;

    /// <summary>A member that is a list; else nothing.</summary>
    public static IEnumerable<JsonElement> List(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Array ? found.EnumerateArray() : [];
}
