using System.Buffers;
using System.Globalization;
using System.Text.Json;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>A page of a response's input items: <c>{object:"list", data, first_id, last_id, has_more}</c>.</summary>
internal static class InputPage
{
    private const int DefaultLimit = 20;
    private const int MaxLimit = 100;

    /// <summary>Writes the page that the query asks for: <c>order</c> (<c>desc</c>, the default, or <c>asc</c>), <c>after</c>, <c>limit</c> (1 to 100, default 20).</summary>
    public static byte[] Write(JsonElement items, IQueryCollection query)
    {
        var limit = DefaultLimit;
        if (query["limit"].ToString() is { Length: > 0 } text && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > MaxLimit))
            throw new ResponseRequestException($"limit must be between 1 and {MaxLimit}", "limit", "invalid_value");
        var order = query["order"].ToString();
        if (order is not ("" or "asc" or "desc")) throw new ResponseRequestException("order must be asc or desc", "order", "invalid_value");
        var all = items.EnumerateArray().ToList();
        if (order != "asc") all.Reverse();
        if (query["after"].ToString() is { Length: > 0 } after)
        {
            var at = all.FindIndex(item => IdOf(item) == after);
            if (at < 0) throw new ResponseRequestException("after is no item of this response", "after", "invalid_value");
            all.RemoveRange(0, at + 1);
        }

        var page = all.Take(limit).ToList();
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("object"u8, "list"u8);
            writer.WriteStartArray("data"u8);
            foreach (var item in page) item.WriteTo(writer);
            writer.WriteEndArray();
            writer.WriteString("first_id"u8, page.Count > 0 ? IdOf(page[0]) : null);
            writer.WriteString("last_id"u8, page.Count > 0 ? IdOf(page[^1]) : null);
            writer.WriteBoolean("has_more"u8, page.Count < all.Count);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static string? IdOf(JsonElement item) => item.TryGetProperty("id", out var id) ? id.GetString() : null;
}
