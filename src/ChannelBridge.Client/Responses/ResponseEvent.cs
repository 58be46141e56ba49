using System.Text.Json;

namespace ChannelBridge.Client.Responses;

/// <summary>One event of a response's stream. Types that have no record of their own come as this one.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Type">Its type, e.g. <c>response.content_part.added</c>.</param>
/// <param name="Sequence">Its number in the stream: 0, 1, 2 … without a gap.</param>
/// <param name="Json">The whole event.</param>
public record ResponseEvent(string ResponseId, string Type, long Sequence, JsonElement Json)
{
    /// <summary>Reads an event; null when it isn't one.</summary>
    internal static ResponseEvent? Read(ReadOnlyMemory<byte> payload)
    {
        JsonElement json;
        try
        {
            using var document = JsonDocument.Parse(payload);
            json = document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }

        if (json.ValueKind != JsonValueKind.Object || Text(json, "response_id") is not { } id || Text(json, "type") is not { } type) return null;
        if (!json.TryGetProperty("sequence_number", out var number) || number.ValueKind != JsonValueKind.Number || !number.TryGetInt64(out var sequence)) return null;
        return type switch
        {
            "response.output_text.delta" => new ResponseTextDelta(id, type, sequence, json, Text(json, "delta") ?? ""),
            "response.refusal.delta" => new ResponseRefusalDelta(id, type, sequence, json, Text(json, "delta") ?? ""),
            "response.reasoning_summary_text.delta" or "response.reasoning.delta" or "response.reasoning_text.delta" =>
                new ResponseReasoningDelta(id, type, sequence, json, Text(json, "delta") ?? ""),
            "response.created" or "response.queued" or "response.in_progress" => new ResponseProgress(id, type, sequence, json),
            "response.output_item.added" or "response.output_item.done" when json.TryGetProperty("item", out var item) =>
                new ResponseItemChange(id, type, sequence, json, item, type.EndsWith("done", StringComparison.Ordinal)),
            "response.completed" or "response.incomplete" or "response.failed" when json.TryGetProperty("response", out var response) =>
                new ResponseEnd(id, type, sequence, json, response),
            _ => new ResponseEvent(id, type, sequence, json),
        };
    }

    private protected static string? Text(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>The response was made, waits in line (<see cref="IsQueued"/>) or runs now.</summary>
/// <inheritdoc/>
public sealed record ResponseProgress(string ResponseId, string Type, long Sequence, JsonElement Json) : ResponseEvent(ResponseId, Type, Sequence, Json)
{
    /// <summary>True while it waits for its turn.</summary>
    public bool IsQueued => Type == "response.queued";
}

/// <summary>More text of the answer.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Type">Its type.</param>
/// <param name="Sequence">Its number.</param>
/// <param name="Json">The whole event.</param>
/// <param name="Delta">The text; never half a letter.</param>
public sealed record ResponseTextDelta(string ResponseId, string Type, long Sequence, JsonElement Json, string Delta) : ResponseEvent(ResponseId, Type, Sequence, Json);

/// <summary>More of a refusal.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Type">Its type.</param>
/// <param name="Sequence">Its number.</param>
/// <param name="Json">The whole event.</param>
/// <param name="Delta">The text.</param>
public sealed record ResponseRefusalDelta(string ResponseId, string Type, long Sequence, JsonElement Json, string Delta) : ResponseEvent(ResponseId, Type, Sequence, Json);

/// <summary>More of the reasoning or its summary.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Type">Its type.</param>
/// <param name="Sequence">Its number.</param>
/// <param name="Json">The whole event.</param>
/// <param name="Delta">The text.</param>
public sealed record ResponseReasoningDelta(string ResponseId, string Type, long Sequence, JsonElement Json, string Delta) : ResponseEvent(ResponseId, Type, Sequence, Json);

/// <summary>An item (a message, a function's call or output, reasoning) was opened or is done.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Type">Its type.</param>
/// <param name="Sequence">Its number.</param>
/// <param name="Json">The whole event.</param>
/// <param name="Item">The item, with all its members.</param>
/// <param name="IsDone">True when it is done: a call has its arguments then.</param>
public sealed record ResponseItemChange(string ResponseId, string Type, long Sequence, JsonElement Json, JsonElement Item, bool IsDone)
    : ResponseEvent(ResponseId, Type, Sequence, Json)
{
    /// <summary><c>message</c>, <c>function_call</c>, <c>function_call_output</c>, <c>reasoning</c> …</summary>
    public string Kind => Text(Item, "type") ?? "";
}

/// <summary>The last event.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Type">Its type.</param>
/// <param name="Sequence">Its number.</param>
/// <param name="Json">The whole event.</param>
/// <param name="Response">The response at its end, with all its members.</param>
public sealed record ResponseEnd(string ResponseId, string Type, long Sequence, JsonElement Json, JsonElement Response) : ResponseEvent(ResponseId, Type, Sequence, Json)
{
    /// <summary><c>completed</c>, <c>incomplete</c> or <c>failed</c>.</summary>
    public string Status => Text(Response, "status") ?? "";

    /// <summary>Why it failed, e.g. <c>cancelled</c>, <c>timeout</c>; null when it didn't.</summary>
    public string? ErrorCode => Response.TryGetProperty("error", out var error) ? Text(error, "code") : null;

    /// <summary>The same for people.</summary>
    public string? ErrorMessage => Response.TryGetProperty("error", out var error) ? Text(error, "message") : null;

    /// <summary>Why it is incomplete, e.g. <c>max_output_tokens</c>; null when it isn't.</summary>
    public string? IncompleteReason => Response.TryGetProperty("incomplete_details", out var details) ? Text(details, "reason") : null;

    /// <summary>The text of the answer: that of its last message, empty when there is none.</summary>
    public string OutputText
    {
        get
        {
            if (!Response.TryGetProperty("output", out var output)) return "";
            var message = output.EnumerateArray().LastOrDefault(item => Text(item, "type") == "message");
            return message.ValueKind != JsonValueKind.Object || !message.TryGetProperty("content", out var parts)
                ? ""
                : string.Concat(parts.EnumerateArray().Select(part => Text(part, "text")));
        }
    }
}
