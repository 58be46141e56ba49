using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelBridge.Protocol.Json;

/// <summary>JSON writers of the current thread: making one for each message costs as much as writing a short one.</summary>
public static class CachedWriter
{
    [ThreadStatic]
    private static Utf8JsonWriter? _strict;

    [ThreadStatic]
    private static Utf8JsonWriter? _relaxed;

    /// <summary>A writer that escapes what the standard encoder escapes; to be returned by the same thread.</summary>
    public static Utf8JsonWriter Rent(IBufferWriter<byte> output) => Take(ref _strict, null, output);

    /// <summary>A writer that escapes only what JSON demands; to be returned by the same thread.</summary>
    public static Utf8JsonWriter RentRelaxed(IBufferWriter<byte> output) => Take(ref _relaxed, JavaScriptEncoder.UnsafeRelaxedJsonEscaping, output);

    /// <summary>Gives a writer back; what it hasn't flushed is lost.</summary>
    public static void Return(Utf8JsonWriter writer)
    {
        writer.Reset(NoOutput.Instance);
        if (writer.Options.Encoder is null) _strict = writer;
        else _relaxed = writer;
    }

    private static Utf8JsonWriter Take(ref Utf8JsonWriter? free, JavaScriptEncoder? encoder, IBufferWriter<byte> output)
    {
        if (free is not { } writer) return new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true, Encoder = encoder });
        free = null;
        writer.Reset(output);
        return writer;
    }

    /// <summary>What a free writer holds, so that it keeps no buffer alive.</summary>
    private sealed class NoOutput : IBufferWriter<byte>
    {
        public static readonly NoOutput Instance = new();

        public void Advance(int count) => throw new InvalidOperationException();

        public Memory<byte> GetMemory(int sizeHint = 0) => throw new InvalidOperationException();

        public Span<byte> GetSpan(int sizeHint = 0) => throw new InvalidOperationException();
    }
}
