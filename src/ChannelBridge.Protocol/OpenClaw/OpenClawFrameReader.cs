using System.Text.Json;
using System.Text.Unicode;
using ChannelBridge.Protocol.Json;
using ChannelBridge.Protocol.JsonRpc;

namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>
/// Reads OpenClaw frames without building a DOM, as strictly as the gateway does: a request has no members but its own, and what is refused is
/// refused in the gateway's words (<c>at root: unexpected property 'foo'</c>).
/// </summary>
public static class OpenClawFrameReader
{
    private const int MaxTraceParent = 128;
    private const int MaxNameInError = 64;

    /// <summary>Reads one request, as a server does.</summary>
    /// <param name="bytes">The whole frame; the parts of <paramref name="frame"/> are slices of it.</param>
    /// <param name="limits">Bounds on its shape.</param>
    /// <param name="frame">The frame. After a failure only its id is meaningful, where one could be recovered.</param>
    /// <param name="error">Why it was refused.</param>
    public static bool TryReadRequest(ReadOnlyMemory<byte> bytes, JsonLimits limits, out OpenClawFrame frame, out ProtocolError error)
    {
        ArgumentNullException.ThrowIfNull(limits);
        var reading = default(Reading);
        if (TryWalk(bytes, limits, ref reading, out error))
        {
            if (reading.CheckRequest(out error))
            {
                frame = new OpenClawFrame
                {
                    Kind = OpenClawFrameKind.Request,
                    Id = reading.Id,
                    Name = reading.Name,
                    Payload = reading.Payload,
                    TraceParent = reading.TraceParent,
                };
                return true;
            }
        }

        frame = new OpenClawFrame { Id = Recover(bytes.Span, limits) };
        return false;
    }

    /// <summary>Reads any frame, as a client does: members that it doesn't know are left alone, so that a newer server can add some.</summary>
    /// <inheritdoc cref="TryReadRequest"/>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, JsonLimits limits, out OpenClawFrame frame, out ProtocolError error)
    {
        ArgumentNullException.ThrowIfNull(limits);
        var reading = default(Reading);
        frame = default;
        if (!TryWalk(bytes, limits, ref reading, out error)) return false;
        OpenClawFrameKind? kind =
            reading.Type.Span.SequenceEqual("res"u8) && !reading.Id.IsEmpty ? OpenClawFrameKind.Response
            : reading.Type.Span.SequenceEqual("event"u8) && !reading.Event.IsEmpty ? OpenClawFrameKind.Event
            : reading.Type.Span.SequenceEqual("req"u8) && !reading.Id.IsEmpty && !reading.Name.IsEmpty ? OpenClawFrameKind.Request
            : null;
        if (kind is null)
        {
            error = new ProtocolError(ProtocolFault.InvalidMessage, "not a frame: type must be req, res or event, with its members");
            return false;
        }

        frame = new OpenClawFrame
        {
            Kind = kind.Value,
            Id = kind == OpenClawFrameKind.Event ? default : reading.Id,
            Name = kind == OpenClawFrameKind.Event ? reading.Event : reading.Name,
            Payload = reading.Payload,
            Error = reading.Error,
            Ok = reading.Ok,
            Seq = reading.Seq,
            TraceParent = reading.TraceParent,
        };
        return true;
    }

    /// <summary>The string id of a frame that can't be read as a whole, as raw JSON text, or empty.</summary>
    public static ReadOnlyMemory<byte> Recover(ReadOnlySpan<byte> bytes, JsonLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        return AsFrameId(MessageIdScanner.Find(bytes), limits);
    }

    /// <summary>What <see cref="MessageIdScanner"/> found, if it can be the id of a frame: a string that isn't empty.</summary>
    public static ReadOnlyMemory<byte> AsFrameId(ReadOnlyMemory<byte> recovered, JsonLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        return recovered.Length > 2 && recovered.Length <= limits.MaxIdBytes && recovered.Span[0] == '"' ? recovered : default;
    }

    private static bool TryWalk(ReadOnlyMemory<byte> bytes, JsonLimits limits, ref Reading reading, out ProtocolError error)
    {
        var guard = new JsonGuard(limits);
        try
        {
            if (Utf8.IsValid(bytes.Span)) return Walk(bytes, limits, ref guard, ref reading, out error);
            error = new ProtocolError(ProtocolFault.InvalidUtf8, "the frame is not UTF-8");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: half of a surrogate pair in a name.
            error = new ProtocolError(ProtocolFault.InvalidJson, "the frame is not one JSON value");
        }
        finally
        {
            guard.Dispose();
        }

        return false;
    }

    private static bool Walk(
        ReadOnlyMemory<byte> bytes, JsonLimits limits, ref JsonGuard guard, ref Reading reading, out ProtocolError error)
    {
        var reader = new Utf8JsonReader(bytes.Span, JsonGuard.ReaderOptions);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            // Find out first whether it is JSON at all.
            reader.Skip();
            reader.Read();
            error = new ProtocolError(ProtocolFault.InvalidMessage, "must be object");
            return false;
        }

        if (!guard.EnterObject(reader, out error)) return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!guard.Name(ref reader, out error)) return false;
            var member = Recognise(ref reader);
            if (member == Member.Other) reading.Unexpected ??= Shorten(reader.GetString()!);
            reader.Read();
            var token = reader.TokenType;
            var start = (int)reader.TokenStartIndex;
            switch (member)
            {
                case Member.Type:
                    reading.HasType = true;
                    if (token == JsonTokenType.String) reading.Type = JsonRpcReader.Text(bytes, ref reader);
                    break;
                case Member.Method or Member.Event:
                    var text = token == JsonTokenType.String ? JsonRpcReader.Text(bytes, ref reader) : default;
                    if (member == Member.Event)
                    {
                        reading.Event = text;
                        reading.Unexpected ??= "event";
                    }
                    else
                    {
                        reading.HasName = true;
                        reading.Name = text;
                        reading.NameIsString = token == JsonTokenType.String;
                    }

                    break;
                case Member.Ok:
                    reading.Ok = token == JsonTokenType.True;
                    reading.Unexpected ??= "ok";
                    break;
                case Member.Seq:
                    if (token == JsonTokenType.Number && reader.TryGetInt64(out var seq)) reading.Seq = seq;
                    reading.Unexpected ??= "seq";
                    break;
                case Member.TraceParent:
                    if (token != JsonTokenType.String) reading.OptionalFault ??= "at /traceparent: must be string";
                    else if (reader.ValueSpan.Length > MaxTraceParent)
                        reading.OptionalFault ??= $"at /traceparent: must not have more than {MaxTraceParent} characters";
                    else reading.TraceParent = JsonRpcReader.Text(bytes, ref reader);
                    break;
                case Member.ExpectedProfile:
                    if (token != JsonTokenType.String) reading.OptionalFault ??= "at /expectedProfileId: must be string";
                    else if (reader.ValueSpan.IsEmpty) reading.OptionalFault ??= "at /expectedProfileId: must not have fewer than 1 characters";
                    else if (reader.ValueSpan.Length > 128) reading.OptionalFault ??= "at /expectedProfileId: must not have more than 128 characters";
                    break;
            }

            if (!guard.SkipValue(ref reader, out error)) return false;
            var value = bytes[start..(int)reader.BytesConsumed];
            switch (member)
            {
                case Member.Id:
                    reading.HasId = true;
                    reading.IdIsString = token == JsonTokenType.String;
                    if (value.Length > limits.MaxIdBytes)
                        reading.OptionalFault ??= $"at /id: must not have more than {limits.MaxIdBytes} characters";
                    else if (reading.IdIsString)
                        reading.Id = value.Length > 2 ? value : default;
                    break;
                case Member.Parameters or Member.Payload:
                    reading.Payload = value;
                    if (member == Member.Payload) reading.Unexpected ??= "payload";
                    break;
                case Member.Error:
                    if (token == JsonTokenType.StartObject) reading.Error = value;
                    reading.Unexpected ??= "error";
                    break;
            }
        }

        // Anything after the root object makes this throw.
        reader.Read();
        error = default;
        return true;
    }

    private enum Member
    {
        Other,
        Type,
        Id,
        Method,
        Parameters,
        TraceParent,
        ExpectedProfile,
        Ok,
        Payload,
        Error,
        Event,
        Seq,
    }

    private static Member Recognise(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("type"u8) ? Member.Type
        : reader.ValueTextEquals("id"u8) ? Member.Id
        : reader.ValueTextEquals("method"u8) ? Member.Method
        : reader.ValueTextEquals("params"u8) ? Member.Parameters
        : reader.ValueTextEquals("traceparent"u8) ? Member.TraceParent
        : reader.ValueTextEquals("expectedProfileId"u8) ? Member.ExpectedProfile
        : reader.ValueTextEquals("ok"u8) ? Member.Ok
        : reader.ValueTextEquals("payload"u8) ? Member.Payload
        : reader.ValueTextEquals("error"u8) ? Member.Error
        : reader.ValueTextEquals("event"u8) ? Member.Event
        : reader.ValueTextEquals("seq"u8) ? Member.Seq
        : Member.Other;

    private static string Shorten(string name) => SoundText.Cut(name, MaxNameInError, "…");

    /// <summary>What a walk found; checked afterwards, because the gateway reports missing members before wrong ones.</summary>
    private struct Reading
    {
        public ReadOnlyMemory<byte> Type;
        public ReadOnlyMemory<byte> Id;
        public ReadOnlyMemory<byte> Name;
        public ReadOnlyMemory<byte> Event;
        public ReadOnlyMemory<byte> Payload;
        public ReadOnlyMemory<byte> Error;
        public ReadOnlyMemory<byte> TraceParent;
        public long? Seq;
        public bool Ok;
        public bool HasType;
        public bool HasId;
        public bool HasName;
        public bool IdIsString;
        public bool NameIsString;
        public string? Unexpected;
        public string? OptionalFault;

        public readonly bool CheckRequest(out ProtocolError error)
        {
            error = default;
            if (Type.Span.SequenceEqual("req"u8) && !Id.IsEmpty && !Name.IsEmpty && Unexpected is null && OptionalFault is null) return true;

            var parts = new List<string>(4);
            if (!HasType || !HasId || !HasName)
                parts.Add($"must have required property '{(!HasType ? "type" : !HasId ? "id" : "method")}'");
            if (Unexpected is not null) parts.Add($"at root: unexpected property '{Unexpected}'");
            if (HasType && !Type.Span.SequenceEqual("req"u8)) parts.Add("at /type: must be equal to constant");
            if (HasId && !IdIsString) parts.Add("at /id: must be string");
            else if (HasId && Id.IsEmpty && OptionalFault is null) parts.Add("at /id: must not have fewer than 1 characters");
            if (HasName && !NameIsString) parts.Add("at /method: must be string");
            else if (HasName && Name.IsEmpty) parts.Add("at /method: must not have fewer than 1 characters");
            if (OptionalFault is not null) parts.Add(OptionalFault);
            error = new ProtocolError(ProtocolFault.InvalidMessage, string.Join("; ", parts));
            return false;
        }
    }
}
