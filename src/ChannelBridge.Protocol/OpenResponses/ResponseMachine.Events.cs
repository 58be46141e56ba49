using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <content>How the events are written.</content>
public sealed partial class ResponseMachine
{
    // What JSON demands is escaped, and line separators, which some readers of event streams split at; the rest stands as it is.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly ArrayBufferWriter<byte> _buffer = new(512);
    private Utf8JsonWriter? _writer;

    private static readonly ContentPart EmptyText = new OutputTextPart("");
    private static readonly ContentPart EmptyRefusal = new RefusalPart("");
    private static readonly ContentPart EmptySummary = new SummaryTextPart("");
    private static readonly ContentPart EmptyReasoning = new ReasoningTextPart("");

    private Utf8JsonWriter Begin(string type)
    {
        _buffer.ResetWrittenCount();
        if (_writer is null) _writer = new Utf8JsonWriter(_buffer, Options);
        else _writer.Reset(_buffer);
        _writer.WriteStartObject();
        _writer.WriteString("type"u8, type);
        _writer.WriteNumber("sequence_number"u8, NextSequence);
        return _writer;
    }

    private void Send(string type)
    {
        _writer!.WriteEndObject();
        _writer.Flush();
        _sink!(NextSequence++, type, _buffer.WrittenSpan.ToArray());
    }

    /// <summary>True when events are only counted, because they were sent before.</summary>
    private bool Counted()
    {
        if (!_muted) return false;
        NextSequence++;
        return true;
    }

    private void EmitResponse(string type)
    {
        if (Counted()) return;
        var writer = Begin(type);
        writer.WritePropertyName("response"u8);
        ResponseWriter.WriteResponse(writer, _state with { Output = _output });
        Send(type);
    }

    private void EmitItem(string type, int index, ResponseItem item)
    {
        if (Counted()) return;
        var writer = Begin(type);
        writer.WriteNumber("output_index"u8, index);
        writer.WritePropertyName("item"u8);
        ResponseWriter.WriteItem(writer, item);
        Send(type);
    }

    private void EmitPart(OpenItem item, bool added, ContentPart? part = null)
    {
        if (Counted()) return;
        var summary = item.Part == PartKind.Summary;
        var type = summary
            ? added ? ResponseEventTypes.SummaryPartAdded : ResponseEventTypes.SummaryPartDone
            : added ? ResponseEventTypes.PartAdded : ResponseEventTypes.PartDone;
        var writer = Begin(type);
        WritePlace(writer, item);
        writer.WritePropertyName("part"u8);
        ResponseWriter.WritePart(writer, part ?? item.Part switch
        {
            PartKind.Refusal => EmptyRefusal,
            PartKind.Summary => EmptySummary,
            PartKind.Reasoning => EmptyReasoning,
            _ => EmptyText,
        });
        Send(type);
    }

    private void EmitDelta(OpenItem item, ReadOnlySpan<char> delta)
    {
        if (Counted()) return;
        var type = item.Part switch
        {
            PartKind.Refusal => ResponseEventTypes.RefusalDelta,
            PartKind.Summary => ResponseEventTypes.SummaryDelta,
            PartKind.Reasoning => OpenAIReasoningNames ? ResponseEventTypes.ReasoningTextDelta : ResponseEventTypes.ReasoningDelta,
            PartKind.Arguments => item.IsCustom ? ResponseEventTypes.CustomInputDelta : ResponseEventTypes.ArgumentsDelta,
            _ => ResponseEventTypes.TextDelta,
        };
        var writer = Begin(type);
        WritePlace(writer, item);
        writer.WriteString("delta"u8, delta);
        if (type == ResponseEventTypes.TextDelta) WriteNoLogprobs(writer);
        Send(type);
    }

    private void EmitTextDone(OpenItem item)
    {
        if (Counted()) return;
        var (type, name) = item.Part switch
        {
            PartKind.Refusal => (ResponseEventTypes.RefusalDone, "refusal"),
            PartKind.Summary => (ResponseEventTypes.SummaryDone, "text"),
            PartKind.Reasoning => (OpenAIReasoningNames ? ResponseEventTypes.ReasoningTextDone : ResponseEventTypes.ReasoningDone, "text"),
            PartKind.Arguments when item.IsCustom => (ResponseEventTypes.CustomInputDone, "input"),
            PartKind.Arguments => (ResponseEventTypes.ArgumentsDone, "arguments"),
            _ => (ResponseEventTypes.TextDone, "text"),
        };
        var writer = Begin(type);
        WritePlace(writer, item);
        // Not a member of the spec, but OpenAI's clients read it.
        if (item.Part == PartKind.Arguments) writer.WriteString("name"u8, item.Name);
        writer.WriteString(name, item.Text.ToString());
        if (type == ResponseEventTypes.TextDone) WriteNoLogprobs(writer);
        Send(type);
    }

    private void EmitAnnotation(OpenItem item, int index)
    {
        if (Counted()) return;
        var writer = Begin(ResponseEventTypes.AnnotationAdded);
        WritePlace(writer, item);
        writer.WriteNumber("annotation_index"u8, index);
        writer.WritePropertyName("annotation"u8);
        item.Annotations[index].WriteTo(writer);
        Send(ResponseEventTypes.AnnotationAdded);
    }

    private void EmitError(ResponseError error)
    {
        if (Counted()) return;
        var writer = Begin(ResponseEventTypes.Error);
        // Nested for the spec, flat for the clients that read it there.
        writer.WriteStartObject("error"u8);
        writer.WriteString("type"u8, "server_error"u8);
        writer.WriteString("code"u8, error.Code);
        writer.WriteString("message"u8, error.Message);
        writer.WriteNull("param"u8);
        writer.WriteEndObject();
        writer.WriteString("code"u8, error.Code);
        writer.WriteString("message"u8, error.Message);
        writer.WriteNull("param"u8);
        Send(ResponseEventTypes.Error);
    }

    // Optional in the spec, required by OpenAI's types.
    private static void WriteNoLogprobs(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("logprobs"u8);
        writer.WriteEndArray();
    }

    private static void WritePlace(Utf8JsonWriter writer, OpenItem item)
    {
        writer.WriteString("item_id"u8, item.Id);
        writer.WriteNumber("output_index"u8, item.Index);
        if (item.Part == PartKind.Arguments) return;
        writer.WriteNumber(item.Part == PartKind.Summary ? "summary_index"u8 : "content_index"u8, item.PartIndex);
    }
}
