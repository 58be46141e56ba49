using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.Agents.Streams;

/// <summary>Reads members of provider JSON that may be missing, null, of another type, or hold half a surrogate pair.</summary>
internal static class LenientJson
{
    /// <summary>A member of an object; <see cref="JsonValueKind.Undefined"/> when it isn't there.</summary>
    public static JsonElement Member(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    /// <summary>A member's text, or null when it isn't there or is no string.</summary>
    public static string? Text(this JsonElement element, string name) => Text(element.Member(name));

    /// <summary>A string's text, or null when it is none.</summary>
    public static string? Text(this JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String) return null;
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // Text that was cut inside a surrogate pair is written as two lone escapes, one in each delta; .NET refuses such a string as a whole.
            return Unescape(value.GetRawText());
        }
    }

    /// <summary>A member's whole number, or null.</summary>
    public static long? Number(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) ? number : null;

    /// <summary>The items of a member; none when it is no array.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Array } value ? value.EnumerateArray() : [];

    private static string Unescape(string raw)
    {
        var text = new StringBuilder(raw.Length);
        for (var i = 1; i < raw.Length - 1; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            i++;
            switch (raw[i])
            {
                case 'u':
                    text.Append((char)ushort.Parse(raw.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                    i += 4;
                    break;
                case 'n': text.Append('\n'); break;
                case 'r': text.Append('\r'); break;
                case 't': text.Append('\t'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                default: text.Append(raw[i]); break;
            }
        }

        return text.ToString();
    }
}
