using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Transfers;

/// <summary>A transfer towards the host, as the store keeps it. Which chunks have arrived stands in a record of its own.</summary>
internal sealed record UploadRecord
{
    public required string Channel { get; init; }

    public required string Account { get; init; }

    public required string TransferId { get; init; }

    /// <summary>Whose token began it.</summary>
    public required string Holder { get; init; }

    public string? ClientId { get; init; }

    public string? SessionKey { get; init; }

    public string? FileName { get; init; }

    public string? MimeType { get; init; }

    public long FileSize { get; init; }

    public int ChunkSize { get; init; }

    public int TotalChunks { get; init; }

    public string? Sha256 { get; init; }

    /// <summary>The name of its file in the spool.</summary>
    public required string Part { get; init; }

    /// <summary>The spool that its file is in.</summary>
    public required string Spool { get; init; }

    public long CreatedAt { get; init; }

    public long UpdatedAt { get; set; }

    public bool Binary { get; set; }

    /// <summary>The file that it became, or null while it runs.</summary>
    public FileRecord? File { get; set; }
}

/// <summary>An account's file in the spool. Several accounts may have the same bytes.</summary>
internal sealed record FileRecord
{
    /// <summary>The name in the spool.</summary>
    public required string Name { get; init; }

    public required string Spool { get; init; }

    public required string Sha256 { get; init; }

    public long Size { get; init; }

    public required string MimeType { get; init; }

    public string? FileName { get; init; }

    public long CreatedAt { get; init; }

    /// <summary>Until when it is kept without a message that needs it (Unix ms).</summary>
    public long KeepUntil { get; set; }
}

/// <summary>Bytes in the spool, found by their hash.</summary>
internal sealed record BlobRecord(string Name, string Spool, long Size);

// What is 0 isn't written, so no number may be required: an empty file has a size and chunks of 0.
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(UploadRecord))]
[JsonSerializable(typeof(FileRecord))]
[JsonSerializable(typeof(BlobRecord))]
[JsonSerializable(typeof(DownloadRecord))]
internal sealed partial class TransferJson : JsonSerializerContext
{
    public const string Uploads = "file.upload";
    public const string Maps = "file.map";
    public const string Files = "file.ref";
    public const string Blobs = "file.blob";
    public const string Uses = "file.use";
    public const string Downloads = "file.download";

    public static byte[] Write<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(value, type);

    public static T Read<T>(ReadOnlyMemory<byte> value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(value.Span, type) ?? throw new JsonException();
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.StoreCorrupt, "A stored transfer can't be read; see the log.", fault);
        }
    }
}
