using System.Text;

namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>A complete answer.</summary>
public sealed record HttpAnswer
{
    /// <summary>The status, 200 to 599.</summary>
    public int Status { get; init; } = 200;

    /// <summary>The type of the content; null when there is none.</summary>
    public string? ContentType { get; init; }

    /// <summary>The content. It stays as it is until the call has ended.</summary>
    public ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>Further headers. Those that belong to the connection or to the content's length are the door's and are ignored here.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The entity tag without quotes, or null. A GET or HEAD whose <c>If-None-Match</c> has it is answered 304 without the content.</summary>
    public string? ETag { get; init; }

    /// <summary>An answer without content.</summary>
    public static HttpAnswer Empty(int status = 204) => new() { Status = status };

    /// <summary>JSON.</summary>
    public static HttpAnswer Json(ReadOnlyMemory<byte> json, int status = 200) => new() { Status = status, ContentType = "application/json", Content = json };

    /// <summary>Plain text.</summary>
    public static HttpAnswer Text(string text, int status = 200) =>
        new() { Status = status, ContentType = "text/plain; charset=utf-8", Content = Encoding.UTF8.GetBytes(text) };
}
