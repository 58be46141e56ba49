using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.Host.Commands.Juji;

/// <summary>JSON as the community's script prints it: with <c>json.dump(…, ensure_ascii=False, indent=2)</c>, or as Python shows values.</summary>
internal static class PythonText
{
    // Python shows floats with an exponent from here on.
    private const int MostDigits = 16;
    private const int LeastExponent = -4;

    /// <summary>Indented JSON, without a line feed at the end.</summary>
    public static string Json(JsonElement value)
    {
        var text = new StringBuilder();
        WriteJson(text, value, "\n");
        return text.ToString();
    }

    /// <summary>Lines for people: <c>- key: value</c> of an object, <c>1. item</c> of a list, else the value.</summary>
    public static string Lines(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => string.Join('\n', Members(value).Select(static member => $"- {member.Key}: {Show(member.Value)}")),
        JsonValueKind.Array => string.Join('\n', value.EnumerateArray().Select(static (item, index) => $"{(index + 1).ToString(CultureInfo.InvariantCulture)}. {Show(item)}")),
        _ => Show(value),
    };

    /// <summary>A value as <c>str</c> shows it: a text as it is, everything else as <see cref="Repr"/>.</summary>
    public static string Show(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : Repr(value);

    /// <summary>A value as <c>repr</c> shows it.</summary>
    public static string Repr(JsonElement value)
    {
        var text = new StringBuilder();
        WriteRepr(text, value);
        return text.ToString();
    }

    private static void WriteJson(StringBuilder text, JsonElement value, string line)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteAll(text, "{}", line, Members(value), named: true);
                break;
            case JsonValueKind.Array:
                WriteAll(text, "[]", line, [.. value.EnumerateArray().Select(static item => KeyValuePair.Create("", item))], named: false);
                break;
            case JsonValueKind.String:
                WriteString(text, value.GetString()!);
                break;
            case JsonValueKind.Number:
                text.Append(Number(value.GetRawText(), "Infinity"));
                break;
            default:
                text.Append(value.ValueKind switch { JsonValueKind.True => "true", JsonValueKind.False => "false", _ => "null" });
                break;
        }
    }

    private static void WriteAll(StringBuilder text, string brackets, string line, List<KeyValuePair<string, JsonElement>> items, bool named)
    {
        text.Append(brackets[0]);
        var inner = line + "  ";
        for (var i = 0; i < items.Count; i++)
        {
            text.Append(i > 0 ? "," : "").Append(inner);
            if (named)
            {
                WriteString(text, items[i].Key);
                text.Append(": ");
            }

            WriteJson(text, items[i].Value, inner);
        }

        if (items.Count > 0) text.Append(line);
        text.Append(brackets[1]);
    }

    private static void WriteString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' => text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture)),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }

    private static void WriteRepr(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                text.Append('{');
                foreach (var (index, member) in Members(value).Index())
                {
                    if (index > 0) text.Append(", ");
                    WriteReprString(text, member.Key);
                    text.Append(": ");
                    WriteRepr(text, member.Value);
                }

                text.Append('}');
                break;
            case JsonValueKind.Array:
                text.Append('[');
                foreach (var (index, item) in value.EnumerateArray().Index())
                {
                    if (index > 0) text.Append(", ");
                    WriteRepr(text, item);
                }

                text.Append(']');
                break;
            case JsonValueKind.String:
                WriteReprString(text, value.GetString()!);
                break;
            case JsonValueKind.Number:
                text.Append(Number(value.GetRawText(), "inf"));
                break;
            default:
                text.Append(value.ValueKind switch { JsonValueKind.True => "True", JsonValueKind.False => "False", _ => "None" });
                break;
        }
    }

    private static void WriteReprString(StringBuilder text, string value)
    {
        var quote = value.Contains('\'', StringComparison.Ordinal) && !value.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        text.Append(quote);
        foreach (var rune in value.EnumerateRunes())
        {
            var code = rune.Value;
            if (code == quote || code == '\\') text.Append('\\').Append(rune);
            else if (code == '\n') text.Append("\\n");
            else if (code == '\r') text.Append("\\r");
            else if (code == '\t') text.Append("\\t");
            else if (code == ' ' || IsPrintable(rune)) text.Append(rune);
            else if (code <= 0xFF) text.Append("\\x").Append(code.ToString("x2", CultureInfo.InvariantCulture));
            else if (code <= 0xFFFF) text.Append("\\u").Append(code.ToString("x4", CultureInfo.InvariantCulture));
            else text.Append("\\U").Append(code.ToString("x8", CultureInfo.InvariantCulture));
        }

        text.Append(quote);
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    /// <summary>A whole number as it stands, whatever its size; another one with the fewest digits that mean it.</summary>
    private static string Number(string token, string infinity)
    {
        if (token.AsSpan().IndexOfAny('.', 'e', 'E') < 0) return token == "-0" ? "0" : token;
        var number = double.Parse(token, CultureInfo.InvariantCulture);
        if (double.IsInfinity(number)) return number < 0 ? "-" + infinity : infinity;
        var shortest = Math.Abs(number).ToString("E16", CultureInfo.InvariantCulture);
        for (var precision = 0; precision <= MostDigits; precision++)
        {
            var shorter = Math.Abs(number).ToString("E" + precision.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
            if (double.Parse(shorter, CultureInfo.InvariantCulture) != Math.Abs(number)) continue;
            shortest = shorter;
            break;
        }

        var sign = double.IsNegative(number) ? "-" : "";
        var parts = shortest.Split('E');
        var digits = parts[0].Replace(".", "", StringComparison.Ordinal).TrimEnd('0');
        if (digits.Length == 0) return sign + "0.0";
        var exponent = int.Parse(parts[1], CultureInfo.InvariantCulture);
        if (exponent is < LeastExponent or >= MostDigits)
        {
            var size = Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(exponent < 0 ? '-' : '+')}{size}";
        }

        if (exponent < 0) return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        digits = digits.PadRight(exponent + 1, '0');
        return $"{sign}{digits[..(exponent + 1)]}.{(digits.Length > exponent + 1 ? digits[(exponent + 1)..] : "0")}";
    }

    /// <summary>The members as a Python dictionary has them: a name once, at its first place, with its last value.</summary>
    private static List<KeyValuePair<string, JsonElement>> Members(JsonElement value)
    {
        var members = new List<KeyValuePair<string, JsonElement>>();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            if (places.TryGetValue(member.Name, out var place)) members[place] = KeyValuePair.Create(member.Name, member.Value);
            else
            {
                places.Add(member.Name, members.Count);
                members.Add(KeyValuePair.Create(member.Name, member.Value));
            }
        }

        return members;
    }
}
