using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Testing;

/// <summary>Settings that a manifest's schema says it doesn't take: made of those that it takes, with one fault each.</summary>
internal static class SettingsFaults
{
    /// <summary>The faults; none when the manifest has no schema of settings.</summary>
    public static IEnumerable<Fault> Of(PluginManifest manifest, JsonElement? settings)
    {
        if (manifest.Settings is not { ValueKind: JsonValueKind.Object } schema) yield break;
        foreach (var property in Members(schema, "properties"))
        {
            if (property.Value.ValueKind == JsonValueKind.Object && property.Value.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String)
                yield return Change(settings, property.Name, type.GetString() is "object" or "array" ? JsonValue.Create("x") : new JsonObject());
        }

        if (schema.TryGetProperty("required", out var required))
        {
            foreach (var name in required.EnumerateArray()) yield return Change(settings, name.GetString()!, null) with { Place = "$" };
        }

        if (schema.TryGetProperty("additionalProperties", out var more) && more.ValueKind == JsonValueKind.False)
            yield return Change(settings, "noSuchSetting", JsonValue.Create(1));
    }

    private static JsonElement.ObjectEnumerator Members(JsonElement schema, string name) =>
        schema.TryGetProperty(name, out var members) && members.ValueKind == JsonValueKind.Object ? members.EnumerateObject() : default;

    private static Fault Change(JsonElement? settings, string name, JsonNode? value)
    {
        var changed = settings is { ValueKind: JsonValueKind.Object } given ? JsonObject.Create(given)! : [];
        if (value is null) changed.Remove(name);
        else changed[name] = value;
        return new Fault($"$.{name}", JsonSerializer.SerializeToElement(changed));
    }

    /// <summary>Settings with a fault.</summary>
    /// <param name="Place">Where it is.</param>
    /// <param name="Settings">The settings.</param>
    internal sealed record Fault(string Place, JsonElement Settings);
}
