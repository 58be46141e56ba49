using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.A2A.Json;

namespace ChannelBridge.A2A;

/// <summary>Reads and writes one record in one dialect.</summary>
/// <typeparam name="T">The record, as 1.0 has it.</typeparam>
public sealed class A2ACodec<T>
    where T : class
{
    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
    private readonly Reader _read;
    private readonly Action<Utf8JsonWriter, T> _write;

    private A2ACodec(Reader read, Action<Utf8JsonWriter, T> write)
    {
        _read = read;
        _write = write;
    }

    private delegate T Reader(ReadOnlySpan<byte> utf8);

    /// <summary>Reads a record and checks it.</summary>
    /// <exception cref="JsonException">It isn't one; the exception's path names the member.</exception>
    public T Read(ReadOnlySpan<byte> utf8) => _read(utf8);

    /// <summary>Writes a record.</summary>
    public void Write(Utf8JsonWriter writer, T value) => _write(writer, value);

    /// <summary>Writes a record.</summary>
    public void Write(IBufferWriter<byte> output, T value)
    {
        using var writer = new Utf8JsonWriter(output, WriterOptions);
        _write(writer, value);
    }

    /// <summary>The record as bytes of its own.</summary>
    public byte[] ToBytes(T value)
    {
        using var scratch = JsonScratch.Take();
        _write(scratch.Writer, value);
        return scratch.Written();
    }

    /// <summary>The same reading, another writing.</summary>
    internal A2ACodec<T> Writing(JsonTypeInfo<T> type) => new(_read, (writer, value) => JsonSerializer.Serialize(writer, value, type));

    internal static A2ACodec<T> Direct(JsonTypeInfo<T> type, Action<T> check) => new(
        utf8 =>
        {
            var value = JsonSerializer.Deserialize(utf8, type) ?? throw new JsonException("An object is wanted.", "$", null, null);
            check(value);
            return value;
        },
        (writer, value) => JsonSerializer.Serialize(writer, value, type));

    internal static A2ACodec<T> Via<TWire>(JsonTypeInfo<TWire> type, Func<TWire, T> from, Func<T, TWire> to, Action<T> check)
        where TWire : class => new(
        utf8 =>
        {
            var value = from(JsonSerializer.Deserialize(utf8, type) ?? throw new JsonException("An object is wanted.", "$", null, null));
            check(value);
            return value;
        },
        (writer, value) => JsonSerializer.Serialize(writer, to(value), type));
}
