using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Core.Messaging;

/// <summary>How messages are kept in the store. Unknown members are ignored, so an older host reads what a newer one wrote.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(InboundMessage))]
[JsonSerializable(typeof(OutboundMessage))]
[JsonSerializable(typeof(AttemptRecord))]
internal sealed partial class StoredJson : JsonSerializerContext;

/// <summary>One line of an outbox entry's history.</summary>
/// <param name="At">When (Unix ms).</param>
/// <param name="Attempt">Which attempt ended, 1 for the first.</param>
/// <param name="Reason">Why, e.g. <c>push-ack-timeout</c>.</param>
/// <param name="Detail">What the client said, cut; or null.</param>
/// <param name="ConnectionId">Where it had been pushed, or null.</param>
internal sealed record AttemptRecord(long At, int Attempt, string Reason, string? Detail, string? ConnectionId);

/// <summary>Turns messages into the bytes that the store keeps, and back.</summary>
internal static class MessageCodec
{
    // The relaxed encoder: the store is no web page, and an escaped non-Latin text is three times as long.
    private static readonly StoredJson Json = new(
        new JsonSerializerOptions(StoredJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Writes an inbound message.</summary>
    public static void Write(InboundMessage message, IBufferWriter<byte> output) =>
        Write(message, StoredJson.Default.InboundMessage.SerializeHandler!, output);

    /// <summary>Writes an outbound message.</summary>
    public static void Write(OutboundMessage message, IBufferWriter<byte> output) =>
        Write(message, StoredJson.Default.OutboundMessage.SerializeHandler!, output);

    /// <summary>Reads an inbound message.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.StoreCorrupt"/>: the stored bytes are damaged.</exception>
    public static InboundMessage ReadInbound(ReadOnlySpan<byte> payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, Json.InboundMessage) ?? throw Damaged(null);
        }
        catch (JsonException fault)
        {
            throw Damaged(fault);
        }
    }

    /// <summary>Reads an outbound message.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.StoreCorrupt"/>: the stored bytes are damaged.</exception>
    public static OutboundMessage ReadOutbound(ReadOnlySpan<byte> payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, Json.OutboundMessage) ?? throw Damaged(null);
        }
        catch (JsonException fault)
        {
            throw Damaged(fault);
        }
    }

    internal static byte[] Write(AttemptRecord attempt) => JsonSerializer.SerializeToUtf8Bytes(attempt, Json.AttemptRecord);

    // The generated handlers write with the writer's own encoder, so they serve although their context is made without one.
    private static void Write<T>(T message, Action<Utf8JsonWriter, T> handler, IBufferWriter<byte> output)
    {
        var writer = CachedWriter.RentRelaxed(output);
        handler(writer, message);
        writer.Flush();
        CachedWriter.Return(writer);
    }

    private static BridgeException Damaged(Exception? cause) =>
        new(ErrorCodes.StoreCorrupt, "A stored message can't be read; see the log.", cause);
}
