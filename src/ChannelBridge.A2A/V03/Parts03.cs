using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.A2A.Json;

namespace ChannelBridge.A2A.V03;

/// <summary>
/// Parts and artifacts of 0.3. Its data is an object always; any other value of 1.0 is wrapped as <c>{"value": …}</c> under a mark in the
/// metadata, as the JavaScript SDK does it. A text's media type and file name have no place in 0.3 and are left out.
/// </summary>
internal static class Parts03
{
    private const string Wrapped = "data_part_compat";

    public static A2APart From(Part03 part, string path) => part switch
    {
        { Kind: "text", Text: { } text } => new A2APart { Text = text, Metadata = part.Metadata },
        { Kind: "file", File: { Bytes: { } bytes } file } =>
            new A2APart { Raw = bytes, Filename = file.Name, MediaType = file.MimeType, Metadata = part.Metadata },
        { Kind: "file", File: { Uri: { } uri } file } =>
            new A2APart { Url = uri, Filename = file.Name, MediaType = file.MimeType, Metadata = part.Metadata },
        { Kind: "data", Data: { } data } => FromData(data, part.Metadata),
        _ => throw Check.Fault(path, "is no text, file or data part"),
    };

    public static Part03 To(A2APart part)
    {
        if (part.Text is { } text) return new Part03 { Kind = "text", Text = text, Metadata = part.Metadata };
        if (part.Raw is { } raw)
        {
            return new Part03
            {
                Kind = "file",
                File = new File03 { Bytes = raw, Name = part.Filename, MimeType = part.MediaType },
                Metadata = part.Metadata,
            };
        }

        if (part.Url is { } url)
        {
            return new Part03
            {
                Kind = "file",
                File = new File03 { Uri = url, Name = part.Filename, MimeType = part.MediaType },
                Metadata = part.Metadata,
            };
        }

        if (part.Data is not { } data) return new Part03 { Kind = "text", Text = "" };
        if (data.ValueKind is JsonValueKind.Object) return new Part03 { Kind = "data", Data = data, Metadata = part.Metadata };
        var metadata = part.Metadata is { ValueKind: JsonValueKind.Object } known ? JsonObject.Create(known)! : [];
        metadata[Wrapped] = true;
        return new Part03
        {
            Kind = "data",
            Data = Element(new JsonObject { ["value"] = JsonSerializer.SerializeToNode(data, A2AJson.Default.JsonElement) }),
            Metadata = Element(metadata),
        };
    }

    public static A2AArtifact From(Artifact03 artifact, string path) => new()
    {
        ArtifactId = artifact.ArtifactId ?? throw Check.Fault(path + ".artifactId", "is missing"),
        Name = artifact.Name,
        Description = artifact.Description,
        Parts = Check.Map(artifact.Parts, path + ".parts", From) ?? throw Check.Fault(path + ".parts", "is missing"),
        Metadata = artifact.Metadata,
        Extensions = artifact.Extensions,
    };

    public static Artifact03 To(A2AArtifact artifact) => new()
    {
        ArtifactId = artifact.ArtifactId,
        Name = artifact.Name,
        Description = artifact.Description,
        Parts = Check.Map(artifact.Parts, To),
        Metadata = artifact.Metadata,
        Extensions = artifact.Extensions,
    };

    private static A2APart FromData(JsonElement data, JsonElement? metadata)
    {
        if (metadata is not { ValueKind: JsonValueKind.Object } said
            || !said.TryGetProperty(Wrapped, out var mark)
            || mark.ValueKind is not JsonValueKind.True
            || data.ValueKind is not JsonValueKind.Object
            || !data.TryGetProperty("value", out var value))
        {
            return new A2APart { Data = data, Metadata = metadata };
        }

        var rest = JsonObject.Create(said)!;
        rest.Remove(Wrapped);
        return new A2APart { Data = value, Metadata = rest.Count > 0 ? Element(rest) : null };
    }

    private static JsonElement Element(JsonObject value)
    {
        using var document = JsonDocument.Parse(value.ToJsonString());
        return document.RootElement.Clone();
    }
}
