using System.Buffers;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Writes the events by which a file goes to a client.</summary>
internal static class FileEvent
{
    private static readonly JsonWriterOptions Options = new() { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// <c>{transferId, direction:"oc2bncr", sessionKey, platform, groupId, userId, fileName, mimeType, fileSize, chunkSize, totalChunks, fileSha256,
    /// messageId?, encodings, resumed?, confirmedRanges?, ts}</c>.
    /// </summary>
    public static void Init(IBufferWriter<byte> output, FileOffer offer, bool takesBinary, long now)
    {
        var message = offer.Message;
        if (!BncrRoute.TryParseScope(message.Route, out var route)) throw new BridgeException(ErrorCodes.Internal, $"file {offer.TransferId} has no bncr route");
        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        json.WriteString("transferId"u8, offer.TransferId);
        json.WriteString("direction"u8, "oc2bncr"u8);
        json.WriteString("accountId"u8, message.AccountId);
        json.WriteString("sessionKey"u8, message.SessionKey);
        json.WriteString("platform"u8, route.Platform);
        json.WriteString("groupId"u8, route.GroupId);
        json.WriteString("userId"u8, route.UserId);
        json.WriteString("fileName"u8, offer.File.FileName ?? "file.bin");
        json.WriteString("mimeType"u8, offer.File.MimeType);
        json.WriteNumber("fileSize"u8, offer.File.Size);
        json.WriteNumber("chunkSize"u8, offer.ChunkSize);
        json.WriteNumber("totalChunks"u8, offer.TotalChunks);
        json.WriteString("fileSha256"u8, offer.File.Sha256 ?? "");
        json.WriteStartArray("encodings"u8);
        json.WriteStringValue("base64"u8);
        if (takesBinary) json.WriteStringValue("binary"u8);
        json.WriteEndArray();
        if (offer.Confirmed.Count > 0)
        {
            json.WriteBoolean("resumed"u8, true);
            json.WriteStartArray("confirmedRanges"u8);
            foreach (var (first, last) in offer.Confirmed)
            {
                json.WriteStartArray();
                json.WriteNumberValue(first);
                json.WriteNumberValue(last);
                json.WriteEndArray();
            }

            json.WriteEndArray();
        }

        json.WriteNumber("ts"u8, now);
        json.WriteEndObject();
    }

    /// <summary><c>{transferId, chunkIndex, offset, size, chunkSha256, base64, ts}</c>.</summary>
    public static void Chunk(IBufferWriter<byte> output, FileOffer offer, int index, ReadOnlySpan<byte> bytes, long now)
    {
        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        Place(json, offer, index, bytes, "chunkSha256"u8);
        json.WriteBase64String("base64"u8, bytes);
        json.WriteNumber("ts"u8, now);
        json.WriteEndObject();
    }

    /// <summary>The same without <c>base64</c>, which is added on the way.</summary>
    public static void ChunkWithoutBytes(IBufferWriter<byte> output, FileOffer offer, int index, ReadOnlySpan<byte> bytes, long now)
    {
        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        Place(json, offer, index, bytes, "chunkSha256"u8);
        json.WriteNumber("ts"u8, now);
        json.WriteEndObject();
    }

    /// <summary>The header of a chunk as a binary message: <c>{transferId, chunkIndex, offset, size, sha256}</c>.</summary>
    public static void Header(IBufferWriter<byte> output, FileOffer offer, int index, ReadOnlySpan<byte> bytes)
    {
        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        Place(json, offer, index, bytes, "sha256"u8);
        json.WriteEndObject();
    }

    /// <summary><c>{transferId, reason?, ts}</c>.</summary>
    public static void End(IBufferWriter<byte> output, FileOffer offer, string? reason, long now)
    {
        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        json.WriteString("transferId"u8, offer.TransferId);
        if (reason is not null) json.WriteString("reason"u8, reason);
        json.WriteNumber("ts"u8, now);
        json.WriteEndObject();
    }

    private static void Place(Utf8JsonWriter json, FileOffer offer, int index, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> hashName)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        json.WriteString("transferId"u8, offer.TransferId);
        json.WriteNumber("chunkIndex"u8, index);
        json.WriteNumber("offset"u8, (long)index * offer.ChunkSize);
        json.WriteNumber("size"u8, bytes.Length);
        json.WriteString(hashName, Convert.ToHexStringLower(hash));
    }
}
