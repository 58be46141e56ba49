using System.Text.Json;

namespace ChannelBridge.A2A;

/// <summary>Errors as they look on the wire, in each version over each transport.</summary>
public static class ErrorBodies
{
    private const string InfoType = "type.googleapis.com/google.rpc.ErrorInfo";
    private const string Domain = "a2a-protocol.org";

    /// <summary>
    /// Writes the <c>error</c> of a JSON-RPC response. Errors of the protocol have 1.0's list of details; JSON-RPC's own have an object
    /// with <c>code</c>, <c>retryable</c> and <c>retryAfterMs</c>, where there is something to say.
    /// </summary>
    public static void WriteJsonRpc(Utf8JsonWriter writer, A2AException fault, string version)
    {
        var error = fault.Error ?? A2AError.Internal;
        writer.WriteStartObject();
        writer.WriteNumber("code", error.Code);
        writer.WriteString("message", fault.Message);
        if (error.IsOfProtocol && version != Versions.V03)
        {
            writer.WriteStartArray("data");
            WriteInfo(writer, error, fault);
            writer.WriteEndArray();
        }
        else if (fault.Code is not null || fault.Retryable)
        {
            writer.WriteStartObject("data");
            WriteMembers(writer, fault, asText: false);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    /// <summary>Writes the body of an answer over plain HTTP.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="fault">The error.</param>
    /// <param name="version">Whose shape.</param>
    /// <param name="status">The status of the answer.</param>
    public static void WriteRest(Utf8JsonWriter writer, A2AException fault, string version, int status)
    {
        var error = fault.Error ?? A2AError.Internal;
        writer.WriteStartObject();
        if (version == Versions.V03)
        {
            writer.WriteNumber("code", error.Code);
            writer.WriteString("message", fault.Message);
            if (fault.Code is not null || fault.Retryable)
            {
                writer.WriteStartObject("data");
                WriteMembers(writer, fault, asText: false);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
            return;
        }

        writer.WriteStartObject("error");
        writer.WriteNumber("code", status);
        writer.WriteString("status", status == error.HttpStatus ? error.Status : StatusWord(status));
        writer.WriteString("message", fault.Message);
        writer.WriteStartArray("details");
        WriteInfo(writer, error, fault);
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    /// <summary>The status of an answer over plain HTTP: what is busy for now says so.</summary>
    public static int RestStatus(A2AException fault) => fault switch
    {
        { HttpStatus: { } status } => status,
        { Retryable: true } when fault.Error is null || fault.Error == A2AError.Internal => 503,
        _ => (fault.Error ?? A2AError.Internal).HttpStatus,
    };

    /// <summary>Reads an error in any of the shapes. Null: it is none.</summary>
    public static A2AException? Read(JsonElement body, int? httpStatus)
    {
        if (body.ValueKind is not JsonValueKind.Object) return null;
        if (body.TryGetProperty("error", out var inner) && inner.ValueKind is JsonValueKind.Object) body = inner;
        if (!body.TryGetProperty("code", out var codeElement) || !codeElement.TryGetInt32(out var code)) return null;
        var message = body.TryGetProperty("message", out var said) && said.ValueKind is JsonValueKind.String
            ? Shorten(said.GetString()!)
            : null;
        JsonElement? info = null;
        if (body.TryGetProperty("details", out var details) || body.TryGetProperty("data", out details))
        {
            info = details.ValueKind switch
            {
                JsonValueKind.Array when details.GetArrayLength() > 0 => details[0],
                JsonValueKind.Object => details,
                _ => null,
            };
        }

        var reason = info is { ValueKind: JsonValueKind.Object } known ? Text(known, "reason") : null;
        var error = A2AError.Of(code) ?? (reason is null ? null : A2AError.Of(reason));
        var facts = info is
        {
            ValueKind: JsonValueKind.Object,
        } holder && holder.TryGetProperty("metadata", out var metadata) && metadata.ValueKind is JsonValueKind.Object
            ? metadata
            : info;
        var own = facts is { ValueKind: JsonValueKind.Object } object1 ? Text(object1, "code") : null;
        var retryable = facts is { ValueKind: JsonValueKind.Object } object2 && Text(object2, "retryable") is "true";
        TimeSpan? after = facts is
        {
            ValueKind: JsonValueKind.Object,
        } object3 && int.TryParse(Text(object3, "retryAfterMs"), out var milliseconds) && milliseconds >= 0
            ? TimeSpan.FromMilliseconds(milliseconds)
            : null;
        if (error is not null)
        {
            return new A2AException(error, message) { HttpStatus = httpStatus, Code = own, Retryable = retryable, RetryAfter = after };
        }
        // A code that isn't the protocol's: some servers say by one that they are asked too often.
        var busy = message is not null && message.Contains("rate", StringComparison.OrdinalIgnoreCase) && message.Contains(
            "limit", StringComparison.OrdinalIgnoreCase);
        return new A2AException(busy ? A2AFault.RateLimited : A2AFault.Protocol, message ?? $"The peer answers with error {code}.")
        {
            ForeignCode = code,
            HttpStatus = httpStatus,
            Code = own,
            Retryable = retryable || busy,
            RetryAfter = after,
        };
    }

    private static void WriteInfo(Utf8JsonWriter writer, A2AError error, A2AException fault)
    {
        writer.WriteStartObject();
        writer.WriteString("@type", InfoType);
        writer.WriteString("reason", error.Reason);
        writer.WriteString("domain", Domain);
        if (fault.Code is not null || fault.Retryable)
        {
            writer.WriteStartObject("metadata");
            WriteMembers(writer, fault, asText: true);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    /// <summary>An ErrorInfo's metadata are words only.</summary>
    private static void WriteMembers(Utf8JsonWriter writer, A2AException fault, bool asText)
    {
        if (fault.Code is { } code) writer.WriteString("code", code);
        if (!fault.Retryable) return;
        if (asText) writer.WriteString("retryable", "true");
        else writer.WriteBoolean("retryable", true);
        if (fault.RetryAfter is not { } after) return;
        var milliseconds = (long)after.TotalMilliseconds;
        if (asText) writer.WriteString("retryAfterMs", milliseconds.ToString());
        else writer.WriteNumber("retryAfterMs", milliseconds);
    }

    private static string? Text(JsonElement holder, string name) => holder.TryGetProperty(name, out var value)
        ? value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.True => "true",
            JsonValueKind.Number => value.GetRawText(),
            _ => null,
        }
        : null;

    private static string StatusWord(int status) => status switch
    {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        413 or 429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        >= 500 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };

    /// <summary>What a stranger says is shown to people: within reason.</summary>
    private static string Shorten(string text) => text.Length <= 500 ? text : string.Concat(text.AsSpan(0, 500), "…");
}
