using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>
/// Checks JSON against the published OpenAPI file of Open Responses: the part of JSON Schema that the file uses, and a refusal of any keyword that isn't known
/// here, so that a newer file can't pass unread.
/// </summary>
public static class ContractSchema
{
    private static readonly JsonObject Schemas = Load();

    private static readonly HashSet<string> Remarks = ["title", "description", "example", "default", "discriminator", "deprecated", "format"];

    /// <summary>The schema of each event by its type.</summary>
    public static IReadOnlyDictionary<string, string> Events { get; } = Schemas
        .Where(schema => schema.Key.EndsWith("StreamingEvent", StringComparison.Ordinal))
        .ToDictionary(schema => (string)schema.Value!["properties"]!["type"]!["enum"]![0]!, schema => schema.Key);

    /// <summary>What is wrong with an event; empty when it fits.</summary>
    public static IReadOnlyList<string> CheckEvent(JsonNode @event) =>
        Events.TryGetValue((string?)@event["type"] ?? "", out var schema) ? Check(schema, @event) : [$"no event of type {@event["type"]}"];

    /// <summary>What is wrong with a value of a named schema; empty when it fits.</summary>
    public static IReadOnlyList<string> Check(string schema, JsonNode? value)
    {
        var faults = new List<string>();
        Check(Schemas[schema]!.AsObject(), value, schema, faults);
        return faults;
    }

    private static void Check(JsonObject schema, JsonNode? value, string place, List<string> faults)
    {
        foreach (var (keyword, rule) in schema)
        {
            switch (keyword)
            {
                case "$ref":
                    Check(Schemas[((string)rule!)["#/components/schemas/".Length..]]!.AsObject(), value, place, faults);
                    break;
                case "type":
                    if (!HasType(value, (string)rule!)) faults.Add($"{place} is no {rule}: {Show(value)}");
                    break;
                case "enum":
                    if (!rule!.AsArray().Any(one => JsonNode.DeepEquals(one, value))) faults.Add($"{place} is none of {rule.ToJsonString()}: {Show(value)}");
                    break;
                case "required":
                    if (value is JsonObject owner) faults.AddRange(rule!.AsArray().Where(name => !owner.ContainsKey((string)name!)).Select(name => $"{place}.{name} is missing"));
                    break;
                case "properties":
                    if (value is not JsonObject members) break;
                    foreach (var (name, member) in rule!.AsObject())
                    {
                        if (members.TryGetPropertyValue(name, out var found)) Check(member!.AsObject(), found, $"{place}.{name}", faults);
                    }

                    break;
                case "additionalProperties":
                    if (value is not JsonObject extended || rule is not JsonObject extra) break;
                    var known = schema["properties"]?.AsObject();
                    foreach (var (name, member) in extended)
                    {
                        if (known?.ContainsKey(name) != true) Check(extra, member, $"{place}.{name}", faults);
                    }

                    break;
                case "items":
                    if (value is not JsonArray list) break;
                    for (var i = 0; i < list.Count; i++) Check(rule!.AsObject(), list[i], $"{place}[{i}]", faults);
                    break;
                case "allOf":
                    foreach (var one in rule!.AsArray()) Check(one!.AsObject(), value, place, faults);
                    break;
                case "anyOf" or "oneOf":
                    CheckChoice(rule!.AsArray(), value, place, faults, keyword == "oneOf" && schema["discriminator"] is null);
                    break;
                case "minLength":
                    if (value is JsonValue shortest && shortest.TryGetValue<string>(out var small) && small.Length < (int)rule!) faults.Add($"{place} is too short");
                    break;
                case "maxLength":
                    if (value is JsonValue longest && longest.TryGetValue<string>(out var large) && large.Length > (int)rule!) faults.Add($"{place} is too long");
                    break;
                default:
                    if (!Remarks.Contains(keyword) && !keyword.StartsWith("x-", StringComparison.Ordinal))
                        faults.Add($"{place}: the keyword {keyword} isn't known to this checker");
                    break;
            }
        }
    }

    private static void CheckChoice(JsonArray choices, JsonNode? value, string place, List<string> faults, bool exactlyOne)
    {
        var attempts = choices.Select(choice =>
        {
            var found = new List<string>();
            Check(choice!.AsObject(), value, place, found);
            return found;
        }).ToList();
        var fitting = attempts.Count(found => found.Count == 0);
        if (fitting == 0) faults.Add($"{place} fits none of {choices.Count} choices; nearest: {string.Join("; ", attempts.OrderBy(found => found.Count).First())}");
        else if (exactlyOne && fitting > 1) faults.Add($"{place} fits {fitting} choices where one may fit");
    }

    private static bool HasType(JsonNode? value, string type) => type switch
    {
        "null" => value is null,
        "object" => value is JsonObject,
        "array" => value is JsonArray,
        "string" => value is JsonValue text && text.GetValueKind() == System.Text.Json.JsonValueKind.String,
        "boolean" => value is JsonValue flag && flag.GetValueKind() is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False,
        "number" => value is JsonValue number && number.GetValueKind() == System.Text.Json.JsonValueKind.Number,
        "integer" => value is JsonValue whole && whole.GetValueKind() == System.Text.Json.JsonValueKind.Number && double.IsInteger(whole.GetValue<double>()),
        _ => false,
    };

    private static string Show(JsonNode? value) => value?.ToJsonString() is { } text ? text[..Math.Min(text.Length, 80)] : "null";

    private static JsonObject Load([CallerFilePath] string here = "") =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(Path.GetDirectoryName(here)!, "open-responses.openapi.json")))!["components"]!["schemas"]!.AsObject();
}
