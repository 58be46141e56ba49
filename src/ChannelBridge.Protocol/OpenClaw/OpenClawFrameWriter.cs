using System.Buffers;
using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>Writes OpenClaw frames. Payloads are copied as they are: they must be valid JSON.</summary>
public static class OpenClawFrameWriter
{
    /// <summary>The end of a frame that was begun with <see cref="BeginResult"/>.</summary>
    public static ReadOnlySpan<byte> End => "}"u8;

    /// <summary>Writes a successful response up to the place of its payload; write one JSON value and <see cref="End"/> after it.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="id">The request's id, raw JSON text with its quotes.</param>
    public static void BeginResult(IBufferWriter<byte> output, ReadOnlySpan<byte> id)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write("{\"type\":\"res\",\"id\":"u8);
        output.Write(id);
        output.Write(",\"ok\":true,\"payload\":"u8);
    }

    /// <summary>Writes a failed response.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="id">The request's id, raw JSON text with its quotes; empty writes the gateway's <c>"invalid"</c>.</param>
    /// <param name="error">Code, message and what else there is.</param>
    public static void WriteError(IBufferWriter<byte> output, ReadOnlySpan<byte> id, in OpenClawError error)
    {
        ArgumentNullException.ThrowIfNull(output);
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        writer.WriteString("type"u8, "res"u8);
        writer.WritePropertyName("id"u8);
        writer.WriteRawValue(id.IsEmpty ? "\"invalid\""u8 : id, skipInputValidation: true);
        writer.WriteBoolean("ok"u8, false);
        if (error.LegacyText is { } text)
        {
            // Clients of the existing bncr plugin look here.
            writer.WriteStartObject("payload"u8);
            writer.WriteString("error"u8, text);
            writer.WriteEndObject();
        }

        writer.WriteStartObject("error"u8);
        writer.WriteString("code"u8, error.Code);
        writer.WriteString("message"u8, error.Message);
        if (error.Details is { } details)
        {
            writer.WritePropertyName("details"u8);
            details.WriteTo(writer);
        }

        if (error.Retryable) writer.WriteBoolean("retryable"u8, true);
        if (error.RetryAfterMs is { } wait) writer.WriteNumber("retryAfterMs"u8, wait);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    /// <summary>Writes an event without its end: <see cref="EndEvent"/> adds the number that it gets when its turn comes.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="name">The event's name.</param>
    /// <param name="payload">One JSON value; empty means <c>{}</c>.</param>
    public static void BeginEvent(IBufferWriter<byte> output, string name, ReadOnlySpan<byte> payload)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write("{\"type\":\"event\",\"event\":"u8);
        JsonText.WriteQuoted(output, name);
        output.Write(",\"payload\":"u8);
        output.Write(payload.IsEmpty ? "{}"u8 : payload);
    }

    /// <summary>Ends an event.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="seq">The event's number on this connection, or null for events before authentication.</param>
    public static void EndEvent(IBufferWriter<byte> output, long? seq)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (seq is { } number)
        {
            var span = output.GetSpan(32);
            ",\"seq\":"u8.CopyTo(span);
            Utf8Formatter.TryFormat(number, span[7..], out var length);
            output.Advance(7 + length);
        }

        output.Write(End);
    }

    /// <summary>Writes a request, as a client does.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="id">The id; any text that isn't empty.</param>
    /// <param name="method">The method's name.</param>
    /// <param name="parameters">One JSON value; empty leaves the member out.</param>
    /// <param name="traceParent">The W3C trace context, or null.</param>
    public static void WriteRequest(
        IBufferWriter<byte> output, string id, string method, ReadOnlySpan<byte> parameters, string? traceParent = null)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write("{\"type\":\"req\",\"id\":"u8);
        JsonText.WriteQuoted(output, id);
        output.Write(",\"method\":"u8);
        JsonText.WriteQuoted(output, method);
        if (!parameters.IsEmpty)
        {
            output.Write(",\"params\":"u8);
            output.Write(parameters);
        }

        if (traceParent is not null)
        {
            output.Write(",\"traceparent\":"u8);
            JsonText.WriteQuoted(output, traceParent);
        }

        output.Write(End);
    }
}

/// <summary>The error of a failed response.</summary>
/// <param name="Code">The stable code.</param>
/// <param name="Message">For people.</param>
/// <param name="Details">For programs, or null.</param>
/// <param name="Retryable">True when the same request may succeed later.</param>
/// <param name="RetryAfterMs">How long to wait, or null.</param>
/// <param name="LegacyText">What stands in <c>payload.error</c> for old clients of a channel, or null.</param>
public readonly record struct OpenClawError(
    string Code, string Message, JsonObject? Details = null, bool Retryable = false, long? RetryAfterMs = null, string? LegacyText = null);
