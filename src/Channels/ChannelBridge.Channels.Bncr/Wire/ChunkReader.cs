using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>
/// A chunk as it came: the bytes stay where they are in the frame, everything else is read. A chunk is most of what passes here, so no object is made
/// of its bytes.
/// </summary>
internal ref struct ChunkReader
{
    private const int MaxHeader = 16 * 1024;

    public string? AccountId { get; private set; }

    public string? ClientId { get; private set; }

    public string? LeaseId { get; private set; }

    public long? ConnectionEpoch { get; private set; }

    public string? TransferId { get; private set; }

    public long? Index { get; private set; }

    public long? Offset { get; private set; }

    public long? Size { get; private set; }

    public string? Sha256 { get; private set; }

    /// <summary>The bytes, in base64 from a text message, as they are from a binary one; null: absent.</summary>
    public ReadOnlyMemory<byte>? Data { get; private set; }

    public bool IsBase64 { get; private set; }

    /// <summary>Reads the parameters of <c>bncr.file.chunk</c>.</summary>
    public static ChunkReader Parse(ReadOnlyMemory<byte> parameters)
    {
        var chunk = new ChunkReader { IsBase64 = true };
        chunk.Read(parameters.IsEmpty ? "{}"u8.ToArray() : parameters);
        return chunk;
    }

    /// <summary>Reads a binary message.</summary>
    public static ChunkReader ParseBinary(ReadOnlyMemory<byte> message)
    {
        if (message.Length < 4) throw Malformed("it is shorter than its length field");
        var length = BinaryPrimitives.ReadUInt32BigEndian(message.Span);
        if (length > MaxHeader) throw Malformed($"its header has {length} bytes, at most {MaxHeader} are taken");
        if (length > message.Length - 4) throw Malformed("its header is longer than the message");
        var chunk = default(ChunkReader);
        chunk.Read(message.Slice(4, (int)length));
        chunk.Data = message[(4 + (int)length)..];
        return chunk;
    }

    private void Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json.Span);
            reader.Read();
            if (reader.TokenType is not JsonTokenType.StartObject) throw new JsonException();
            while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName) Member(ref reader, json);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw BridgeException.Invalid(
                "bncr.file.chunk takes an object in which transferId, base64 and the hash are texts, and chunkIndex, offset and size are whole numbers",
                "transferId/chunkIndex/base64 required");
        }
    }

    private void Member(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        if (reader.ValueTextEquals("base64"u8))
        {
            reader.Read();
            if (!IsBase64 || reader.TokenType is not JsonTokenType.String) return;
            // A slash may be escaped in JSON; nothing else of base64 ever is.
            Data = reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : json.Slice((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
            return;
        }

        if (reader.ValueTextEquals("transferId"u8)) TransferId = Text(ref reader);
        else if (reader.ValueTextEquals("chunkIndex"u8)) Index = Number(ref reader);
        else if (reader.ValueTextEquals("offset"u8)) Offset = Number(ref reader);
        else if (reader.ValueTextEquals("size"u8)) Size = Number(ref reader);
        else if (reader.ValueTextEquals("chunkSha256"u8) || reader.ValueTextEquals("sha256"u8)) Sha256 = Text(ref reader);
        else if (reader.ValueTextEquals("accountId"u8)) AccountId = Text(ref reader);
        else if (reader.ValueTextEquals("clientId"u8)) ClientId = Text(ref reader);
        else if (reader.ValueTextEquals("leaseId"u8)) LeaseId = Text(ref reader);
        else if (reader.ValueTextEquals("connectionEpoch"u8)) ConnectionEpoch = Number(ref reader);
        else
        {
            reader.Read();
            reader.Skip();
        }
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType is JsonTokenType.Null) return null;
        return reader.TokenType is JsonTokenType.String ? reader.GetString() : throw new JsonException();
    }

    private static long? Number(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.Null => null,
            JsonTokenType.Number when WholeNumbers.TryGet(in reader, out var value) => value,
            JsonTokenType.String when long.TryParse(reader.GetString(), System.Globalization.CultureInfo.InvariantCulture, out var value) => value,
            _ => throw new JsonException(),
        };
    }

    private static BridgeException Malformed(string wrong) =>
        BridgeException.Invalid($"the binary message is malformed: {wrong}; it is u32 header length (big endian), JSON header, bytes");
}
