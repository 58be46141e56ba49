using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.file.init</c>. Numbers may be written as strings, as old clients' languages do.</summary>
internal sealed class FileInitParams : LeaseParams
{
    /// <summary>The client's name for the transfer. Required; the same again goes on with it.</summary>
    public string? TransferId { get; set; }

    /// <summary>The conversation: a session key or its hex form. Required.</summary>
    public string? SessionKey { get; set; }

    /// <summary>A name to show; <c>file.bin</c> when absent.</summary>
    public string? FileName { get; set; }

    /// <summary>What the file is; the bytes decide in the end.</summary>
    public string? MimeType { get; set; }

    /// <summary>Bytes. Required.</summary>
    public JsonElement FileSize { get; set; }

    /// <summary>Bytes of each chunk but the last; 262,144 when absent.</summary>
    public JsonElement ChunkSize { get; set; }

    /// <summary>How many chunks. Required.</summary>
    public JsonElement TotalChunks { get; set; }

    /// <summary>SHA-256 of the file, hexadecimal.</summary>
    public string? FileSha256 { get; set; }

    public string? Platform { get; set; }

    public string? GroupId { get; set; }

    public string? UserId { get; set; }

    /// <summary><c>base64</c> (default), or <c>binary</c>: chunks may then come as binary messages.</summary>
    public string? Encoding { get; set; }
}

/// <summary>Parameters of <c>bncr.file.chunk</c>; for the schema, the method reads them itself.</summary>
internal sealed class FileChunkParams : LeaseParams
{
    /// <summary>The transfer. Required.</summary>
    public string? TransferId { get; set; }

    /// <summary>From 0. Required.</summary>
    public long? ChunkIndex { get; set; }

    /// <summary>Where the bytes belong: <c>chunkIndex × chunkSize</c>.</summary>
    public long? Offset { get; set; }

    /// <summary>How many bytes, decoded.</summary>
    public long? Size { get; set; }

    /// <summary>SHA-256 of the chunk, hexadecimal.</summary>
    public string? ChunkSha256 { get; set; }

    /// <summary>The bytes. Required.</summary>
    public string? Base64 { get; set; }
}

/// <summary>Parameters of <c>bncr.file.complete</c>, <c>bncr.file.abort</c> and <c>bncr.file.status</c>.</summary>
internal sealed class FileParams : LeaseParams
{
    /// <summary>The transfer. Required.</summary>
    public string? TransferId { get; set; }

    /// <summary>Of <c>abort</c>: why.</summary>
    public string? Reason { get; set; }

    /// <summary>Of <c>complete</c>: SHA-256 of the file, where it wasn't known at <c>init</c>.</summary>
    public string? FileSha256 { get; set; }
}

/// <summary>Parameters of <c>bncr.file.ack</c>: a client's word about a file that it is sent.</summary>
internal sealed class FileAckParams : LeaseParams
{
    /// <summary>The transfer. Required.</summary>
    public string? TransferId { get; set; }

    /// <summary><c>init</c>, <c>chunk</c>, <c>complete</c> or <c>abort</c>. Required.</summary>
    public string? Stage { get; set; }

    /// <summary>Of stage <c>chunk</c>: which.</summary>
    public JsonElement ChunkIndex { get; set; }

    /// <summary>True (default): done. False: see <see cref="ErrorCode"/>.</summary>
    public bool? Ok { get; set; }

    /// <summary>Of stage <c>complete</c>: where the client has put the file; the message that follows says it again.</summary>
    public string? Path { get; set; }

    public string? ErrorCode { get; set; }

    public string? ErrorMessage { get; set; }

    /// <summary>Of stage <c>init</c>: <c>binary</c> asks for binary messages.</summary>
    public string? Encoding { get; set; }

    /// <summary>Of stage <c>init</c>: chunks that the client has from an earlier connection, runs of first and last; only the others are sent.</summary>
    public int[][]? ReceivedRanges { get; set; }

    /// <summary>Of stage <c>init</c>: the chunks that the client needs, instead of <see cref="ReceivedRanges"/>.</summary>
    public int[]? Missing { get; set; }
}

/// <summary>Result of the file methods; each has the fields that concern it.</summary>
internal sealed record FileResult
{
    public bool Ok { get; init; } = true;

    public required string TransferId { get; init; }

    /// <summary><c>init</c>, <c>open</c>, <c>complete</c> or <c>aborted</c>.</summary>
    public string? Status { get; init; }

    /// <summary>It was known before.</summary>
    public bool? Duplicated { get; init; }

    public int? ChunkIndex { get; init; }

    public long? Offset { get; init; }

    /// <summary>Chunks that have arrived.</summary>
    public int? Received { get; init; }

    public int? TotalChunks { get; init; }

    public int? ChunkSize { get; init; }

    public long? FileSize { get; init; }

    public long? ReceivedBytes { get; init; }

    /// <summary>Runs of chunks that have arrived, first and last index each.</summary>
    public IReadOnlyList<int[]>? ReceivedRanges { get; init; }

    /// <summary>Chunks that are missing, in order; the first 10,000.</summary>
    public IReadOnlyList<int>? Missing { get; init; }

    /// <summary>All of them as runs, first and last index each.</summary>
    public IReadOnlyList<int[]>? MissingRanges { get; init; }

    /// <summary>How chunks may come: <c>base64</c>, or <c>binary</c> beside it.</summary>
    public string? Encoding { get; init; }

    public long? BytesPerSecond { get; init; }

    public long? LeftMs { get; init; }

    /// <summary>Of a complete transfer: what <c>bncr.inbound</c> takes as <c>path</c>.</summary>
    public string? Path { get; init; }

    public long? Size { get; init; }

    public string? FileName { get; init; }

    public string? MimeType { get; init; }

    public string? FileSha256 { get; init; }

    /// <summary>Of <c>ack</c>.</summary>
    public string? Stage { get; init; }

    /// <summary>Of <c>ack</c>: <c>ok</c> or <c>failed</c> as it was noted, or <c>late</c>: nobody waits for it.</summary>
    public string? State { get; init; }

    public string? Message { get; init; }

    /// <summary>False on a stale lease, absent otherwise.</summary>
    public bool? Accepted { get; init; }

    public bool? Stale { get; init; }

    public bool? Ignored { get; init; }
}

/// <summary>The event <c>file.ack</c>: the host's word about a chunk that came as a binary message.</summary>
internal sealed record FileAckEvent
{
    public string? TransferId { get; init; }

    public string Stage { get; init; } = "chunk";

    public int? ChunkIndex { get; init; }

    public long? Offset { get; init; }

    public bool Ok { get; init; }

    public bool? Duplicated { get; init; }

    public int? Received { get; init; }

    public int? TotalChunks { get; init; }

    public string? ErrorCode { get; init; }

    public string? ErrorMessage { get; init; }

    /// <summary>The old clients' text of the error, where there is one.</summary>
    public string? Error { get; init; }

    public bool? Retryable { get; init; }

    public long Ts { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, AllowDuplicateProperties = false, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(FileInitParams))]
[JsonSerializable(typeof(FileChunkParams))]
[JsonSerializable(typeof(FileParams))]
[JsonSerializable(typeof(FileAckParams))]
[JsonSerializable(typeof(FileResult))]
[JsonSerializable(typeof(FileAckEvent))]
internal sealed partial class FileJson : JsonSerializerContext;
