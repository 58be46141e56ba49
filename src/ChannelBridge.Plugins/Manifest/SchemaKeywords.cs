using System.Collections.Frozen;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ChannelBridge.Plugins.Manifest;

/// <summary>
/// Which of JSON Schema's keywords <see cref="SchemaCheck"/> understands. A schema with others would promise checks that nobody makes.
/// </summary>
internal static class SchemaKeywords
{
    private const int MaxDepth = 24;

    private static readonly FrozenSet<string> Checked = new[]
    {
        "type", "enum", "const", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "uniqueItems",
        "minLength",
        "maxLength", "pattern", "minimum", "maximum", "oneOf", "anyOf", "$ref", "$defs",
    }.ToFrozenSet();

    private static readonly FrozenSet<string> Notes =
        new[] { "$schema", "$id", "title", "description", "default", "examples", "secret", "label", "help", "format",
            "deprecated" }.ToFrozenSet();

    /// <summary>How patterns are compared: in time that grows with the text only, whatever the pattern.</summary>
    public const RegexOptions PatternOptions = RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;

    /// <summary>What of a schema isn't understood.</summary>
    public static void Check(JsonElement schema, string place, List<SchemaFault> faults, int depth = 0)
    {
        if (depth > MaxDepth)
        {
            faults.Add(new SchemaFault(place, $"the schema is nested deeper than {MaxDepth}"));
            return;
        }

        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False) return;
        if (schema.ValueKind != JsonValueKind.Object)
        {
            faults.Add(new SchemaFault(place, "a schema is an object, true or false"));
            return;
        }

        foreach (var member in schema.EnumerateObject())
        {
            var here = $"{place}.{member.Name}";
            switch (member.Name)
            {
                case "properties" or "$defs" when member.Value.ValueKind == JsonValueKind.Object:
                    foreach (var property in member.Value.EnumerateObject())
                        Check(property.Value, $"{here}.{property.Name}", faults, depth + 1);
                    break;
                case "items" or "additionalProperties":
                    Check(member.Value, here, faults, depth + 1);
                    break;
                case "oneOf" or "anyOf" when member.Value.ValueKind == JsonValueKind.Array:
                    var index = 0;
                    foreach (var choice in member.Value.EnumerateArray()) Check(choice, $"{here}[{index++}]", faults, depth + 1);
                    break;
                case "pattern" when member.Value.ValueKind == JsonValueKind.String:
                    CheckPattern(member.Value.GetString()!, here, faults);
                    break;
                default:
                    if (!Checked.Contains(member.Name) && !Notes.Contains(member.Name)
                        && !member.Name.StartsWith("x-", StringComparison.Ordinal))
                        faults.Add(new SchemaFault(here, "this keyword isn't checked by the host; use one of those that the manual lists"));
                    else if (!Fits(member))
                        faults.Add(new SchemaFault(here, "is of the wrong type"));
                    break;
            }

            if (faults.Count >= SchemaCheck.MaxFaults) return;
        }
    }

    private static bool Fits(JsonProperty member) => member.Name switch
    {
        "type" => member.Value.ValueKind is JsonValueKind.String or JsonValueKind.Array,
        "enum" or "required" or "oneOf" or "anyOf" => member.Value.ValueKind == JsonValueKind.Array,
        "properties" or "$defs" => member.Value.ValueKind == JsonValueKind.Object,
        "minItems" or "maxItems" or "minLength" or "maxLength" =>
            member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetInt32(out _),
        "minimum" or "maximum" => member.Value.ValueKind == JsonValueKind.Number,
        "uniqueItems" or "secret" => member.Value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "pattern" or "$ref" => member.Value.ValueKind == JsonValueKind.String,
        _ => true,
    };

    private static void CheckPattern(string pattern, string place, List<SchemaFault> faults)
    {
        try
        {
            _ = new Regex(pattern, PatternOptions);
        }
        catch (Exception fault) when (fault is ArgumentException or NotSupportedException)
        {
            faults.Add(new SchemaFault(place, "isn't a regular expression that the host takes (no back references, nothing that looks ahead or behind)"));
        }
    }
}
