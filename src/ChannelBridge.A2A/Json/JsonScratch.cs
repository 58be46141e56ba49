using System.Buffers;
using System.Text.Json;

namespace ChannelBridge.A2A.Json;

/// <summary>What a record is written into before it becomes bytes of its own: one for each thread, because most records are small and there are many of them.</summary>
internal sealed class JsonScratch : IDisposable
{
    // What was larger is left to the collector; a thread holds no more than this for the next one.
    private const int LargestKept = 64 * 1024;

    [ThreadStatic]
    private static JsonScratch? _free;

    private readonly ArrayBufferWriter<byte> _output = new(1024);

    private JsonScratch() => Writer = new Utf8JsonWriter(_output, new JsonWriterOptions
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>Writes into it.</summary>
    public Utf8JsonWriter Writer { get; }

    /// <summary>The thread's own, or a new one where that is in use further up.</summary>
    public static JsonScratch Take()
    {
        if (_free is not { } free) return new JsonScratch();
        _free = null;
        return free;
    }

    /// <summary>What was written.</summary>
    public byte[] Written()
    {
        Writer.Flush();
        return _output.WrittenSpan.ToArray();
    }

    /// <summary>Gives it back.</summary>
    public void Dispose()
    {
        if (_output.Capacity > LargestKept)
        {
            Writer.Dispose();
            return;
        }

        // After a fault something half is in it.
        _output.ResetWrittenCount();
        Writer.Reset(_output);
        _free = this;
    }
}
