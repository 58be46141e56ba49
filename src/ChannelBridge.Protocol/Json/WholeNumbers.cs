using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace ChannelBridge.Protocol.Json;

/// <summary>
/// To JSON Schema <c>1500.0</c> and <c>1.5e3</c> are integers like <c>1500</c>, and some languages write their whole numbers so. System.Text.Json takes only the
/// last for one.
/// </summary>
public static class WholeNumbers
{
    /// <summary>The whole number that an element is, however it is written.</summary>
    public static bool TryGet(JsonElement element, out long value)
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && (element.TryGetInt64(out value) || TryParse(element.GetRawText(), out value));
    }

    /// <summary>The whole number that a reader stands on, however it is written.</summary>
    public static bool TryGet(ref readonly Utf8JsonReader reader, out long value)
    {
        value = 0;
        if (reader.TokenType != JsonTokenType.Number) return false;
        if (reader.TryGetInt64(out value)) return true;
        var raw = reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan;
        return TryParse(System.Text.Encoding.ASCII.GetString(raw), out value);
    }

    /// <summary>The same JSON with every whole number written as one; null when there is none that is written otherwise.</summary>
    /// <param name="json">Valid JSON.</param>
    public static byte[]? Rewrite(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        var any = false;
        while (!any && reader.Read()) any = IsOdd(in reader, out _);
        if (!any) return null;
        var output = new ArrayBufferWriter<byte>(json.Length);
        var last = 0;
        reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (!IsOdd(in reader, out var value)) continue;
            var start = (int)reader.TokenStartIndex;
            output.Write(json[last..start]);
            Utf8Formatter.TryFormat(value, output.GetSpan(20), out var written);
            output.Advance(written);
            last = (int)reader.BytesConsumed;
        }

        output.Write(json[last..]);
        return output.WrittenSpan.ToArray();
    }

    private static bool IsOdd(ref readonly Utf8JsonReader reader, out long value)
    {
        value = 0;
        return reader.TokenType == JsonTokenType.Number && reader.ValueSpan.ContainsAny(".eE"u8) && TryGet(in reader, out value);
    }

    private static bool TryParse(string raw, out long value)
    {
        value = 0;
        // A number with a huge exponent costs nothing here: it doesn't fit, and that is found before anything is computed.
        if (!decimal.TryParse(raw, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || decimal.Truncate(number) != number) return false;
        if (number is < long.MinValue or > long.MaxValue) return false;
        value = (long)number;
        return true;
    }
}
