using System.Text.Json;

namespace ChannelBridge.Agents.Streams;

/// <summary>Tells errors from answers, and finds their words: providers put them into <c>error</c>, flat, into lists, into <c>detail</c>,
/// or into a plain text.</summary>
internal static class ErrorShape
{
    /// <summary>True when this isn't an answer but an error.</summary>
    /// <param name="data">What came.</param>
    /// <param name="answer">The member that an answer has.</param>
    public static bool Is(JsonElement data, string answer)
    {
        var error = data.Member("error");
        if (error.ValueKind is JsonValueKind.Object or JsonValueKind.True || error.Text() is { Length: > 0 }) return true;
        if (data.Member(answer).ValueKind == JsonValueKind.Array) return false;
        if (data.ValueKind == JsonValueKind.Array) return Unwrap(data) is { ValueKind: JsonValueKind.Object } first && Is(first, answer);
        return data.Text("object") == "error"
            || (data.Text("type") is { } type && type.Contains("error", StringComparison.OrdinalIgnoreCase))
            || data.Member("errors").ValueKind == JsonValueKind.Array
            || data.Member("detail").ValueKind is JsonValueKind.String or JsonValueKind.Array
            || (HasCode(data) && Words(data) is not null);
    }

    /// <summary>What it says, its code and its HTTP status, each as far as it says it.</summary>
    public static (string? Message, string? Code, int? Status) Read(JsonElement data)
    {
        data = Unwrap(data);
        var error = data.Member("error");
        if (error.ValueKind == JsonValueKind.Array) error = Unwrap(error);
        if (error.ValueKind == JsonValueKind.String) return (error.Text(), CodeOf(data), StatusOf(data));
        if (error.ValueKind != JsonValueKind.Object)
            error = Unwrap(data.Member("errors")) is { ValueKind: JsonValueKind.Object or JsonValueKind.String } first ? first : data;
        if (error.ValueKind == JsonValueKind.String) return (error.Text(), null, null);
        return (Words(error), CodeOf(error), StatusOf(error) ?? StatusOf(data));
    }

    /// <summary>Finds the words of a body: JSON, an event of a stream, or a plain text; null when there are none for people.</summary>
    public static (string? Message, string? Code, int? Status) Read(ReadOnlyMemory<byte> body)
    {
        var text = System.Text.Encoding.UTF8.GetString(body.Span).Trim('\uFEFF', ' ', '\r', '\n', '\t');
        if (text.Length == 0) return default;
        if (!text.StartsWith('{') && !text.StartsWith('[') && !text.StartsWith('"'))
        {
            foreach (var line in text.Split('\n'))
            {
                var colon = line.IndexOf(':', StringComparison.Ordinal);
                if (colon <= 0 || line[..colon].Trim() is not ("data" or "error")) continue;
                if (line[(colon + 1)..].Trim() is ['{' or '[', ..] value)
                    return Read(System.Text.Encoding.UTF8.GetBytes(value));
            }

            // A proxy's page is no message for people.
            return text.StartsWith('<') ? default : (text, null, null);
        }

        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowTrailingCommas = true, MaxDepth = 128 });
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.String ? (root.Text(), null, null) : Read(root);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static bool HasCode(JsonElement data) =>
        data.Member("code").ValueKind != JsonValueKind.Undefined || data.Number("status") is >= 400 || data.Text("status") == "error";

    private static JsonElement Unwrap(JsonElement data) =>
        data.ValueKind == JsonValueKind.Array ? data.EnumerateArray().FirstOrDefault() : data;

    private static string? Words(JsonElement error)
    {
        foreach (var name in (ReadOnlySpan<string>)["message", "detail", "msg", "error_msg", "error_message", "error_description", "title"])
        {
            var value = error.Member(name);
            if (value.Text() is { Length: > 0 } text) return text;
            if (value.ValueKind == JsonValueKind.Object && Words(value) is { } nested) return nested;
            // FastAPI's list of what is wrong.
            if (value.ValueKind != JsonValueKind.Array) continue;
            if (string.Join("; ", value.EnumerateArray().Select(one => one.Text() ?? Words(one)).OfType<string>()) is { Length: > 0 } all) return all;
        }

        return null;
    }

    private static string? CodeOf(JsonElement error) => error.Text("code") ?? error.Text("type") ?? error.Text("error_code");

    private static int? StatusOf(JsonElement error)
    {
        foreach (var name in (ReadOnlySpan<string>)["code", "status", "status_code"])
        {
            if ((error.Number(name) ?? (int.TryParse(error.Text(name), out var number) ? number : null)) is >= 400 and < 600 and var status)
                return (int)status;
        }

        return null;
    }
}
