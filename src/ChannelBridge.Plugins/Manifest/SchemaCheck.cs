using System.Text.Json;
using System.Text.RegularExpressions;

namespace ChannelBridge.Plugins.Manifest;

/// <summary>
/// Checks a JSON value against a JSON Schema, with the place of each fault. It knows the keywords that manifests and settings need
/// (<see cref="SchemaKeywords"/>), and reads the published schema itself, so that what is published is what is checked.
/// </summary>
internal sealed class SchemaCheck
{
    /// <summary>More faults than these help nobody.</summary>
    public const int MaxFaults = 50;

    private const int MaxReferences = 16;
    private readonly JsonElement _root;
    private readonly List<SchemaFault> _faults = [];

    private SchemaCheck(JsonElement root) => _root = root;

    /// <summary>The faults of a value; none when it fits.</summary>
    public static IReadOnlyList<SchemaFault> Run(JsonElement schema, JsonElement value, string place = "$")
    {
        var check = new SchemaCheck(schema);
        check.Visit(schema, value, place);
        return check._faults;
    }

    private void Visit(JsonElement schema, JsonElement value, string place)
    {
        if (_faults.Count >= MaxFaults || schema.ValueKind == JsonValueKind.True) return;
        if (schema.ValueKind == JsonValueKind.False)
        {
            Add(place, "isn't allowed here");
            return;
        }

        schema = Resolve(schema);
        if (schema.ValueKind != JsonValueKind.Object) return;
        if (schema.TryGetProperty("type", out var type) && !HasType(value, type))
        {
            Add(place, $"must be {Describe(type)}");
            return;
        }

        if (schema.TryGetProperty("const", out var constant) && !JsonElement.DeepEquals(constant, value))
            Add(place, $"must be {constant.GetRawText()}");
        if (schema.TryGetProperty("enum", out var values) && !values.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value)))
            Add(place, $"must be one of {string.Join(", ", values.EnumerateArray().Select(one => one.ToString()))}");
        VisitChoices(schema, value, place);
        switch (value.ValueKind)
        {
            case JsonValueKind.Object: VisitObject(schema, value, place); break;
            case JsonValueKind.Array: VisitArray(schema, value, place); break;
            case JsonValueKind.String: VisitString(schema, value.GetString()!, place); break;
            case JsonValueKind.Number: VisitNumber(schema, value.GetDouble(), place); break;
        }
    }

    private void VisitObject(JsonElement schema, JsonElement value, string place)
    {
        if (schema.TryGetProperty("required", out var required))
        {
            foreach (var name in required.EnumerateArray())
            {
                if (!value.TryGetProperty(name.GetString()!, out _)) Add(place, $"'{name.GetString()}' is missing");
            }
        }

        var hasProperties = schema.TryGetProperty("properties", out var properties);
        var hasMore = schema.TryGetProperty("additionalProperties", out var more);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            var here = $"{place}.{member.Name}";
            if (!seen.Add(member.Name)) Add(here, "stands there twice");
            else if (hasProperties && properties.TryGetProperty(member.Name, out var known)) Visit(known, member.Value, here);
            else if (hasMore && more.ValueKind == JsonValueKind.False) Add(here, "is unknown");
            else if (hasMore) Visit(more, member.Value, here);
        }
    }

    private void VisitArray(JsonElement schema, JsonElement value, string place)
    {
        var count = value.GetArrayLength();
        if (Number(schema, "minItems") is { } least && count < least) Add(place, $"needs at least {least} items");
        if (Number(schema, "maxItems") is { } most && count > most)
        {
            Add(place, $"takes at most {most} items");
            return;
        }

        if (schema.TryGetProperty("items", out var items))
        {
            var index = 0;
            foreach (var item in value.EnumerateArray()) Visit(items, item, $"{place}[{index++}]");
        }

        if (schema.TryGetProperty("uniqueItems", out var unique) && unique.ValueKind == JsonValueKind.True)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            var index = 0;
            foreach (var item in value.EnumerateArray())
            {
                if (!seen.Add(item.GetRawText())) Add($"{place}[{index}]", "stands there twice");
                index++;
            }
        }
    }

    private void VisitString(JsonElement schema, string value, string place)
    {
        if (Number(schema, "minLength") is { } least && value.Length < least)
            Add(place, least == 1 ? "must not be empty" : $"needs at least {least} characters");
        if (Number(schema, "maxLength") is { } most && value.Length > most)
        {
            Add(place, $"takes at most {most} characters");
            return;
        }

        if (schema.TryGetProperty("pattern", out var pattern) && !Regex.IsMatch(value, pattern.GetString()!, SchemaKeywords.PatternOptions))
            Add(place, $"must match {pattern.GetString()}");
    }

    private void VisitNumber(JsonElement schema, double value, string place)
    {
        if (schema.TryGetProperty("minimum", out var least) && value < least.GetDouble())
            Add(place, $"must be at least {least.GetRawText()}");
        if (schema.TryGetProperty("maximum", out var most) && value > most.GetDouble()) Add(place, $"must be at most {most.GetRawText()}");
    }

    // The faults of the choice that fits best: the one whose required members are there.
    private void VisitChoices(JsonElement schema, JsonElement value, string place)
    {
        if (!schema.TryGetProperty("oneOf", out var choices) && !schema.TryGetProperty("anyOf", out choices)) return;
        IReadOnlyList<SchemaFault>? best = null;
        var bestFits = false;
        foreach (var choice in choices.EnumerateArray())
        {
            var attempt = new SchemaCheck(_root);
            attempt.Visit(choice, value, place);
            if (attempt._faults.Count == 0) return;
            var fits = HasRequired(choice, value);
            if (best is not null && (bestFits || !fits)) continue;
            best = attempt._faults;
            bestFits = fits;
        }

        foreach (var fault in best ?? []) Add(fault.Place, fault.Message);
    }

    private bool HasRequired(JsonElement schema, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object || Resolve(schema) is not { ValueKind: JsonValueKind.Object } resolved) return false;
        return !resolved.TryGetProperty("required", out var required)
            || required.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _));
    }

    private JsonElement Resolve(JsonElement schema)
    {
        for (var i = 0; i < MaxReferences; i++)
        {
            if (schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("$ref", out var reference)) break;
            var name = reference.GetString() ?? "";
            if (!name.StartsWith("#/$defs/", StringComparison.Ordinal) || !_root.TryGetProperty("$defs", out var all)
                || !all.TryGetProperty(name["#/$defs/".Length..], out schema))
                return default;
        }

        return schema;
    }

    private void Add(string place, string message)
    {
        if (_faults.Count < MaxFaults) _faults.Add(new SchemaFault(place, message));
    }

    private static int? Number(JsonElement schema, string name) =>
        schema.TryGetProperty(name, out var value) && value.TryGetInt32(out var number) ? number : null;

    private static bool HasType(JsonElement value, JsonElement type) => type.ValueKind == JsonValueKind.Array
        ? type.EnumerateArray().Any(one => HasType(value, one.GetString()!))
        : HasType(value, type.GetString()!);

    private static bool HasType(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) && number == decimal.Truncate(number),
        _ => false,
    };

    private static string Describe(JsonElement type) => type.ValueKind == JsonValueKind.Array
        ? string.Join(" or ", type.EnumerateArray().Select(one => Describe(one.GetString()!)))
        : Describe(type.GetString()!);

    private static string Describe(string type) => type switch
    {
        "object" or "array" or "integer" => $"an {type}",
        "null" => "null",
        _ => $"a {type}",
    };
}
