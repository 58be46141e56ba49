using System.Buffers;
using System.Text.Json;

namespace ChannelBridge.A2A.Server;

/// <summary>What a door answers: a body, or a stream of events.</summary>
public sealed class DoorAnswer
{
    private readonly Func<FeedEvent, ReadOnlyMemory<byte>>? _frame;

    private DoorAnswer(int status, string? contentType, ReadOnlyMemory<byte> body)
    {
        Status = status;
        ContentType = contentType;
        Body = body;
    }

    private DoorAnswer(IA2AEvents events, Func<FeedEvent, ReadOnlyMemory<byte>> frame)
        : this(200, "text/event-stream", default)
    {
        Events = events;
        _frame = frame;
    }

    /// <summary>The HTTP status.</summary>
    public int Status { get; }

    /// <summary>The type of the body, or null without one.</summary>
    public string? ContentType { get; }

    /// <summary>The body.</summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>How long to wait before the next try (<c>Retry-After</c>), where the answer says so.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>The events, where the answer is a stream. Whoever writes it disposes of them.</summary>
    public IA2AEvents? Events { get; }

    /// <summary>An answer with a body.</summary>
    public static DoorAnswer Of(int status, string? contentType, ReadOnlyMemory<byte> body) => new(status, contentType, body);

    /// <summary>The data of one event of the stream.</summary>
    public ReadOnlyMemory<byte> Frame(FeedEvent item) => _frame!(item);

    internal DoorAnswer WaitingFor(TimeSpan? time) => time is null ? this : new DoorAnswer(Status, ContentType, Body) { RetryAfter = time };

    internal static DoorAnswer Stream(IA2AEvents events, Func<FeedEvent, ReadOnlyMemory<byte>> frame) => new(events, frame);

    internal static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var output = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions
        {
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            SkipValidation = true,
        }))
        {
            write(writer);
        }

        return output.WrittenSpan.ToArray();
    }
}
