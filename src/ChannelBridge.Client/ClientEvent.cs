using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ChannelBridge.Client;

/// <summary>An event from the host.</summary>
/// <param name="Name">Its name, e.g. <c>bncr.push</c>.</param>
/// <param name="Payload">Its payload: one JSON value, UTF-8, owned by the event.</param>
/// <param name="Missed">How many events of this subscription were dropped just before it, because its reader was too slow.</param>
public sealed record ClientEvent(string Name, ReadOnlyMemory<byte> Payload, long Missed = 0)
{
    /// <summary>Bytes that came with it: those of a chunk that came as a binary message. Empty for most. Owned by the event.</summary>
    public ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>Reads the payload.</summary>
    /// <exception cref="JsonException">It isn't what <paramref name="type"/> describes.</exception>
    public T? Read<T>(JsonTypeInfo<T> type) => JsonSerializer.Deserialize(Payload.Span, type);
}
