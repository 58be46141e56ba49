using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.A2A;

/// <summary>
/// A piece of a message or an artifact: exactly one of <see cref="Text"/>, <see cref="Raw"/>, <see cref="Url"/> and <see cref="Data"/>.
/// </summary>
public sealed record A2APart
{
    /// <summary>Text.</summary>
    public string? Text { get; init; }

    /// <summary>A file's bytes; base64 on the wire.</summary>
    public byte[]? Raw { get; init; }

    /// <summary>Where a file lies.</summary>
    public string? Url { get; init; }

    /// <summary>Any JSON value.</summary>
    public JsonElement? Data { get; init; }

    /// <summary>Whatever else the sender says of the part: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>A file's name. It is data, never a path.</summary>
    public string? Filename { get; init; }

    /// <summary>The media type of the content.</summary>
    public string? MediaType { get; init; }

    /// <summary>How many of the four contents are there; one in a part that is well formed.</summary>
    [JsonIgnore]
    public int Contents => (Text is null ? 0 : 1) + (Raw is null ? 0 : 1) + (Url is null ? 0 : 1) + (Data is null ? 0 : 1);

    /// <summary>A part of text.</summary>
    public static A2APart OfText(string text) => new() { Text = text };
}
