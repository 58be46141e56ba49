using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Client.Internal;

/// <summary>Makes exceptions from the errors of both dialects.</summary>
internal static class WireErrors
{
    /// <summary>From <c>{code, message, details?, retryable?, retryAfterMs?}</c>, as it stands in an OpenClaw frame.</summary>
    public static ChannelBridgeClientException FromObject(JsonNode? error, string fallbackCode, string fallbackMessage)
    {
        var members = error as JsonObject;
        var details = members?["details"] as JsonObject;
        members?.Remove("details");
        return new ChannelBridgeClientException(Text(members?["code"]) ?? fallbackCode, Text(members?["message"]) ?? fallbackMessage)
        {
            Retryable = members?["retryable"] is JsonValue flag && flag.TryGetValue<bool>(out var retryable) && retryable,
            RetryAfter = Number(members?["retryAfterMs"]) is { } wait and >= 0 ? TimeSpan.FromMilliseconds(Math.Min(wait, 86_400_000)) : null,
            Details = details,
        };
    }

    /// <summary>Parses an error's object; null when it is none.</summary>
    public static JsonNode? Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            return json.IsEmpty ? null : JsonNode.Parse(json.Span);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A node's text, or null.</summary>
    public static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>A node's number, or null.</summary>
    public static double? Number(JsonNode? node) => node is JsonValue value && value.TryGetValue<double>(out var number) ? number : null;
}
