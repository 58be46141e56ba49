using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.Json;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Streams;

/// <summary>
/// The header of a stream's frame: <c>u32 header length, big endian | {"stream", "seq", …} | bytes</c>. A frame of the sender has
/// <c>seq</c>; the reader's has <c>credit</c> or <c>closed</c> and no bytes.
/// </summary>
internal readonly record struct StreamFrame
{
    private const int MaxHeader = 512;
    // All names and three numbers of 19 digits.
    private const int MaxPlain = 160;

    public long Stream { get; init; }

    /// <summary>1, 2, 3 … for the sender's frames; 0 in the reader's.</summary>
    public long Seq { get; init; }

    /// <summary>Nothing follows.</summary>
    public bool End { get; init; }

    /// <summary>The item goes on in the next frame.</summary>
    public bool More { get; init; }

    /// <summary>With <see cref="End"/>: the stream isn't whole, for this reason.</summary>
    public string? Error { get; init; }

    /// <summary>The reader takes this many bytes more.</summary>
    public long Credit { get; init; }

    /// <summary>The reader is done with the stream: it has read its end, or wants no more.</summary>
    public bool Closed { get; init; }

    public static StreamFrame Read(ReadOnlySequence<byte> frame, out ReadOnlySequence<byte> bytes)
    {
        var reader = new SequenceReader<byte>(frame);
        if (!reader.TryReadBigEndian(out int length) || length is <= 0 or > MaxHeader || length > reader.Remaining)
            throw new PluginProtocolException("a stream's frame has no header");
        var header = frame.Slice(reader.Position, length);
        bytes = frame.Slice(header.End);
        try
        {
            return Parse(header);
        }
        catch (JsonException)
        {
            throw new PluginProtocolException("the header of a stream's frame isn't a JSON object as it should be");
        }
    }

    /// <summary>Writes length and header.</summary>
    public ReadOnlyMemory<byte> Write(ArrayBufferWriter<byte> buffer)
    {
        buffer.ResetWrittenCount();
        if (Error is null)
        {
            // Every frame has one, and none of its members needs to be escaped.
            var span = buffer.GetSpan(MaxPlain);
            var length = 4;
            Put(span, ref length, "{\"stream\":"u8, Stream);
            if (Seq > 0) Put(span, ref length, ",\"seq\":"u8, Seq);
            if (End) Put(span, ref length, ",\"end\":true"u8);
            if (More) Put(span, ref length, ",\"more\":true"u8);
            if (Credit > 0) Put(span, ref length, ",\"credit\":"u8, Credit);
            if (Closed) Put(span, ref length, ",\"closed\":true"u8);
            Put(span, ref length, "}"u8);
            buffer.Advance(length);
        }
        else
        {
            WriteError(buffer);
        }

        var written = System.Runtime.InteropServices.MemoryMarshal.AsMemory(buffer.WrittenMemory);
        BinaryPrimitives.WriteInt32BigEndian(written.Span, written.Length - 4);
        return written;
    }

    private void WriteError(ArrayBufferWriter<byte> buffer)
    {
        buffer.GetSpan(4);
        buffer.Advance(4);
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        writer.WriteNumber("stream"u8, Stream);
        writer.WriteNumber("seq"u8, Seq);
        writer.WriteBoolean("end"u8, End);
        writer.WriteString("error"u8, Error);
        writer.WriteEndObject();
    }

    private static void Put(Span<byte> span, ref int length, ReadOnlySpan<byte> text)
    {
        text.CopyTo(span[length..]);
        length += text.Length;
    }

    private static void Put(Span<byte> span, ref int length, ReadOnlySpan<byte> name, long value)
    {
        Put(span, ref length, name);
        Utf8Formatter.TryFormat(value, span[length..], out var digits);
        length += digits;
    }

    private static StreamFrame Parse(ReadOnlySequence<byte> header)
    {
        var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
        var frame = default(StreamFrame);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            try
            {
                if (Next(ref reader, "stream"u8)) frame = frame with { Stream = reader.GetInt64() };
                else if (Next(ref reader, "seq"u8)) frame = frame with { Seq = reader.GetInt64() };
                else if (Next(ref reader, "end"u8)) frame = frame with { End = reader.GetBoolean() };
                else if (Next(ref reader, "more"u8)) frame = frame with { More = reader.GetBoolean() };
                else if (Next(ref reader, "error"u8)) frame = frame with { Error = reader.GetString() };
                else if (Next(ref reader, "credit"u8)) frame = frame with { Credit = reader.GetInt64() };
                else if (Next(ref reader, "closed"u8)) frame = frame with { Closed = reader.GetBoolean() };
                else reader.Read();
            }
            catch (Exception fault) when (fault is FormatException or InvalidOperationException)
            {
                throw new JsonException();
            }

            reader.Skip();
        }

        if (frame.Stream <= 0 || frame.Seq < 0 || frame.Credit < 0) throw new JsonException();
        return frame;
    }

    // On to the value when the member has this name.
    private static bool Next(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) => reader.ValueTextEquals(name) && reader.Read();
}
