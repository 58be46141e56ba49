using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Reads one content part.</summary>
/// <param name="longest">The longest text of a part that a client gives; what a model said has no bound but the body's.</param>
internal sealed class PartReader(int longest)
{
    private const int MaxImageUrl = 20_971_520;
    private const int MaxFileData = 33_554_432;
    private const int MaxUrl = 16_384;
    private const int MaxFileName = 1024;

    public ContentPart Read(JsonElement part, string place)
    {
        if (part.ValueKind != JsonValueKind.Object) throw new ResponseRequestException($"{place} must be an object", place, "invalid_type");
        place += ".";
        var type = part.RequiredText("type", 64, place);
        return type switch
        {
            "input_text" => new InputTextPart(Text(part, "text", place)),
            "output_text" => new OutputTextPart(Said(part, "text", place), ReadAnnotations(part, place)),
            "text" => new TextPart(Text(part, "text", place)),
            "summary_text" => new SummaryTextPart(Said(part, "text", place)),
            "reasoning_text" => new ReasoningTextPart(Said(part, "text", place)),
            "refusal" => new RefusalPart(Said(part, "refusal", place)),
            "input_image" => ReadImage(part, place),
            "input_file" => ReadFile(part, place),
            "input_video" => new InputVideoPart(ReadUrl(part, "video_url", MaxImageUrl, place) ?? throw MemberReader.Missing(place + "video_url")),
            _ => throw new ResponseRequestException($"{place}type is none that this server knows", place + "type", "invalid_value"),
        };
    }

    private string Text(JsonElement part, string name, string place) => part.RequiredText(name, longest, place);

    private static string Said(JsonElement part, string name, string place) => part.RequiredText(name, int.MaxValue, place);

    private static InputImagePart ReadImage(JsonElement part, string place)
    {
        var detail = part.Word("detail", place, "low", "high", "auto", "original") is var asked && asked == "original" ? "high" : asked;
        if (part.Member("file_id") is not null && part.Member("image_url") is null)
            throw new ResponseRequestException($"{place}file_id is not supported: give image_url, a URL or a data URL", place + "file_id", "unsupported_parameter");
        return new InputImagePart(ReadUrl(part, "image_url", MaxImageUrl, place) ?? throw MemberReader.Missing(place + "image_url"), detail);
    }

    private static InputFilePart ReadFile(JsonElement part, string place)
    {
        var name = part.Text("filename", MaxFileName, place);
        var data = part.Text("file_data", MaxFileData, place);
        var url = ReadUrl(part, "file_url", MaxUrl, place);
        if (data is null && url is null)
        {
            throw part.Member("file_id") is not null
                ? new ResponseRequestException($"{place}file_id is not supported: give file_data or file_url", place + "file_id", "unsupported_parameter")
                : new ResponseRequestException($"{place}file_data or {place}file_url is required", place + "file_data", "missing_required_parameter");
        }

        if (data is not null && !IsBase64(data))
            throw new ResponseRequestException($"{place}file_data must be base64, or a data URL with base64", place + "file_data", "invalid_value");
        return new InputFilePart(name, data, url);
    }

    private static string? ReadUrl(JsonElement part, string name, int longest, string place)
    {
        if (part.Text(name, longest, place) is not { } url) return null;
        if (url.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
        {
            if (IsBase64(url)) return url;
        }
        else if (url.Length <= MaxUrl && Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
        {
            return url;
        }

        throw new ResponseRequestException($"{place}{name} must be an http or https URL, or a data URL with base64", place + name, "invalid_value");
    }

    private static bool IsBase64(string text)
    {
        var data = text.AsSpan();
        if (text.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
        {
            var comma = data.IndexOf(',');
            if (comma < 0 || !data[..comma].EndsWith(";base64", StringComparison.OrdinalIgnoreCase)) return false;
            data = data[(comma + 1)..];
        }

        return System.Buffers.Text.Base64.IsValid(data);
    }

    private static List<JsonElement> ReadAnnotations(JsonElement part, string place)
    {
        if (part.Member("annotations") is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array) throw new ResponseRequestException($"{place}annotations must be a list", place + "annotations", "invalid_type");
        var annotations = new List<JsonElement>(list.GetArrayLength());
        foreach (var annotation in list.EnumerateArray())
        {
            if (annotation.ValueKind != JsonValueKind.Object)
                throw new ResponseRequestException($"{place}annotations[{annotations.Count}] must be an object", $"{place}annotations[{annotations.Count}]", "invalid_type");
            annotations.Add(annotation.Clone());
        }

        return annotations;
    }
}
