using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>Finds the values of a plugin's settings that must be shown nowhere.</summary>
internal static class Secrets
{
    /// <summary>A shorter secret would mask what is none.</summary>
    private const int MinLength = 4;

    /// <summary>A text without the secrets.</summary>
    public static string Mask(string text, IReadOnlyCollection<string> secrets)
    {
        foreach (var secret in secrets)
        {
            if (secret.Length >= MinLength) text = text.Replace(secret, "***", StringComparison.Ordinal);
        }

        return text;
    }

    /// <summary>JSON whose names and values are without the secrets. Of members that have the same name the last one is taken.</summary>
    public static JsonNode? Mask(JsonElement value, Func<string, string> mask)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var members = new JsonObject();
                foreach (var member in value.EnumerateObject()) members[mask(member.Name)] = Mask(member.Value, mask);
                return members;
            case JsonValueKind.Array:
                return new JsonArray([.. value.EnumerateArray().Select(item => Mask(item, mask))]);
            case JsonValueKind.String:
                return mask(value.GetString()!);
            default:
                // A secret may be a number.
                var text = value.GetRawText();
                var masked = mask(text);
                return masked == text ? JsonNode.Parse(text) : masked;
        }
    }

    /// <summary>The values of members that the schema marks as secret.</summary>
    public static IEnumerable<string> Find(PluginManifest manifest, PluginStart start) =>
        manifest.Settings is { } schema && start.Settings is { } settings ? Find(schema, settings) : [];

    private static IEnumerable<string> Find(JsonElement schema, JsonElement value)
    {
        if (schema.ValueKind != JsonValueKind.Object) yield break;
        if (schema.TryGetProperty("secret", out var secret) && secret.ValueKind == JsonValueKind.True)
        {
            yield return value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
            yield break;
        }

        if (value.ValueKind == JsonValueKind.Object)
        {
            var named = schema.TryGetProperty("properties", out var properties);
            var others = schema.TryGetProperty("additionalProperties", out var additional);
            foreach (var member in value.EnumerateObject())
            {
                if (!named || !properties.TryGetProperty(member.Name, out var known))
                {
                    if (!others) continue;
                    known = additional;
                }

                foreach (var found in Find(known, member.Value)) yield return found;
            }
        }

        if (value.ValueKind != JsonValueKind.Array || !schema.TryGetProperty("items", out var items)) yield break;
        foreach (var item in value.EnumerateArray())
        {
            foreach (var found in Find(items, item)) yield return found;
        }
    }
}
