using System.Text.Json.Serialization;

namespace ChannelBridge.Client.Bncr;

/// <summary>How far a file is.</summary>
/// <param name="FileName">Its name.</param>
/// <param name="Bytes">Bytes that the other side has.</param>
/// <param name="TotalBytes">Bytes of the file.</param>
/// <param name="BytesPerSecond">The rate of this run.</param>
/// <param name="Left">How long the rest takes at that rate, or null while it is unknown.</param>
public readonly record struct BncrFileProgress(string FileName, long Bytes, long TotalBytes, double BytesPerSecond, TimeSpan? Left);

/// <summary>How a file is sent.</summary>
public sealed record BncrUploadOptions
{
    /// <summary>The conversation: a session key, or the hex form of <c>platform:groupId:userId</c>.</summary>
    public required string SessionKey { get; init; }

    /// <summary>The name that the agent sees; null: the file's own.</summary>
    public string? FileName { get; init; }

    /// <summary>What the file is, or null; the host looks at the bytes anyway.</summary>
    public string? MimeType { get; init; }

    /// <summary>The transfer's id; null: one that follows from the content, so that the same file goes on where it stopped.</summary>
    public string? TransferId { get; init; }

    /// <summary>Bytes of a chunk, 1 KiB to 16 MiB. Default 256 KiB.</summary>
    public int ChunkBytes { get; init; } = 256 * 1024;

    /// <summary>
    /// The most chunks under way at the same time, 1…64. Default 32. It begins with four (or fewer): one more with each that the host confirms, half as many
    /// when one fails, the connection is lost, or a confirmation takes four times as long as the quickest and more than a second. Never more than 16 MiB.
    /// </summary>
    public int Window { get; init; } = 32;

    /// <summary>
    /// True (default): chunks go as binary messages where the server takes them, that is on a host's own doors; through an OpenClaw gateway they are base64.
    /// False: base64 everywhere.
    /// </summary>
    public bool Binary { get; init; } = true;
}

/// <summary>A file that the host has.</summary>
/// <param name="Path">What <c>bncr.inbound</c> takes as <c>path</c>.</param>
/// <param name="Size">Bytes.</param>
/// <param name="FileName">Its name as the host keeps it.</param>
/// <param name="MimeType">What it is, by its bytes.</param>
/// <param name="FileSha256">Its SHA-256.</param>
public sealed record BncrUploadedFile(string Path, long Size, string FileName, string MimeType, string FileSha256);

/// <summary>A file that has come from the host.</summary>
/// <param name="TransferId">The transfer.</param>
/// <param name="Path">Where it lies now; the message that follows says the same.</param>
/// <param name="FileName">Its name as the host said it.</param>
/// <param name="MimeType">What it is.</param>
/// <param name="Size">Bytes.</param>
public sealed record BncrReceivedFile(string TransferId, string Path, string FileName, string MimeType, long Size);

internal sealed record FileInitParameters(
    string AccountId, string? ClientId, string TransferId, string SessionKey, string FileName, string? MimeType, long FileSize, int ChunkSize, int TotalChunks, string FileSha256,
    string? Encoding);

internal sealed record FileChunkParameters(
    string AccountId, string? ClientId, string TransferId, int ChunkIndex, long Offset, int Size, string ChunkSha256, ReadOnlyMemory<byte> Base64);

/// <summary>The header of a chunk as a binary message.</summary>
internal sealed record FileChunkHeader(string AccountId, string? ClientId, string TransferId, int ChunkIndex, long Offset, int Size, string Sha256);

internal sealed record FileCompleteParameters(string AccountId, string? ClientId, string TransferId);

internal sealed record FileAnswer
{
    public string? Status { get; init; }

    public string? Encoding { get; init; }

    public int Received { get; init; }

    public int[][]? MissingRanges { get; init; }

    public string? Path { get; init; }

    public long Size { get; init; }

    public string? FileName { get; init; }

    public string? MimeType { get; init; }

    public string? FileSha256 { get; init; }
}

internal sealed record FileAckParameters(string AccountId, string? ClientId, string TransferId, string Stage)
{
    public int? ChunkIndex { get; init; }

    public bool Ok { get; init; } = true;

    public string? Path { get; init; }

    public string? ErrorCode { get; init; }

    public string? ErrorMessage { get; init; }

    public int[][]? ReceivedRanges { get; init; }

    public string? Encoding { get; init; }
}

/// <summary>The host's word on a chunk that came as a binary message.</summary>
internal sealed record FileChunkAck
{
    public string? TransferId { get; init; }

    public int ChunkIndex { get; init; } = -1;

    public bool Ok { get; init; }

    public string? ErrorCode { get; init; }

    public string? ErrorMessage { get; init; }

    public bool Retryable { get; init; }
}

internal sealed record FileEventPayload
{
    public required string TransferId { get; init; }

    public string? FileName { get; init; }

    public string? MimeType { get; init; }

    public long FileSize { get; init; }

    public int ChunkSize { get; init; }

    public int TotalChunks { get; init; }

    public string? FileSha256 { get; init; }

    public int ChunkIndex { get; init; }

    public long Offset { get; init; }

    public string? ChunkSha256 { get; init; }

    public string? Sha256 { get; init; }

    public byte[]? Base64 { get; init; }

    public string[]? Encodings { get; init; }

    public string? Reason { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(FileInitParameters))]
[JsonSerializable(typeof(FileChunkParameters))]
[JsonSerializable(typeof(FileChunkHeader))]
[JsonSerializable(typeof(FileChunkAck))]
[JsonSerializable(typeof(FileCompleteParameters))]
[JsonSerializable(typeof(FileAnswer))]
[JsonSerializable(typeof(FileAckParameters))]
[JsonSerializable(typeof(FileEventPayload))]
internal sealed partial class FilesJson : JsonSerializerContext;
