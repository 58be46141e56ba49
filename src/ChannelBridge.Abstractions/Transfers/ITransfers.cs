using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Transfers;

/// <summary>Who transfers.</summary>
/// <param name="Channel">The channel id.</param>
/// <param name="Account">The account: transfers of other accounts don't exist for it.</param>
/// <param name="Holder">Whose access token it is; another one never touches the transfer.</param>
/// <param name="ClientId">What the client calls itself, or null. The same client may go on from another connection.</param>
/// <param name="Connection">The connection.</param>
public readonly record struct TransferClient(string Channel, string Account, string Holder, string? ClientId, IClientConnection Connection);

/// <summary>What a client wants to send.</summary>
public sealed record UploadRequest
{
    /// <summary>The client's name for the transfer; unique in its account.</summary>
    public required string TransferId { get; init; }

    /// <summary>The conversation, as the client says.</summary>
    public string? SessionKey { get; init; }

    /// <summary>A name to show.</summary>
    public string? FileName { get; init; }

    /// <summary>What the client says it is.</summary>
    public string? MimeType { get; init; }

    /// <summary>Bytes of the file.</summary>
    public required long FileSize { get; init; }

    /// <summary>Bytes of every chunk but the last.</summary>
    public required int ChunkSize { get; init; }

    /// <summary>How many chunks there are.</summary>
    public required int TotalChunks { get; init; }

    /// <summary>The SHA-256 of the file, lower-case hexadecimal, or null.</summary>
    public string? Sha256 { get; init; }

    /// <summary>True: chunks may come as binary messages.</summary>
    public bool Binary { get; init; }
}

/// <summary>How far a transfer is.</summary>
public sealed record TransferStatus
{
    /// <summary>The transfer.</summary>
    public required string TransferId { get; init; }

    /// <summary><c>open</c> or <c>complete</c>.</summary>
    public required string State { get; init; }

    /// <summary>True when it was known before.</summary>
    public bool Duplicate { get; init; }

    /// <summary>Bytes of the file.</summary>
    public long FileSize { get; init; }

    /// <summary>Bytes of a chunk.</summary>
    public int ChunkSize { get; init; }

    /// <summary>Chunks of the file.</summary>
    public int TotalChunks { get; init; }

    /// <summary>Chunks that have arrived.</summary>
    public int Received { get; init; }

    /// <summary>Bytes that have arrived.</summary>
    public long ReceivedBytes { get; init; }

    /// <summary>First and last index of each run of chunks that are missing, in order; at most <see cref="MaxRanges"/>.</summary>
    public IReadOnlyList<(int First, int Last)> Missing { get; init; } = [];

    /// <summary>The same of chunks that have arrived.</summary>
    public IReadOnlyList<(int First, int Last)> Arrived { get; init; } = [];

    /// <summary>Bytes per second, lately.</summary>
    public double Rate { get; init; }

    /// <summary>How long the rest takes at that rate, or null.</summary>
    public TimeSpan? Left { get; init; }

    /// <summary>The file, when complete.</summary>
    public Attachment? File { get; init; }

    /// <summary>Its path on this host's disk, when complete.</summary>
    public string? Path { get; init; }

    /// <summary>True when binary chunks were agreed on.</summary>
    public bool Binary { get; init; }

    /// <summary>The most ranges that are listed; beyond it the rest is found by asking again.</summary>
    public const int MaxRanges = 2048;
}

/// <summary>A chunk as it came.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Offset">Where its bytes belong, or null: that follows from the index.</param>
/// <param name="Size">How many bytes it has as its sender says, or null.</param>
/// <param name="Sha256">Its SHA-256 in hexadecimal, or null.</param>
/// <param name="Data">Its bytes, as they are or in base64 (UTF-8). Valid until the call's task has completed.</param>
/// <param name="IsBase64">How the bytes are written.</param>
/// <param name="WasBase64">The client sent base64, and a door on the way has decoded it: no agreement on binary chunks is asked for.</param>
public readonly record struct ChunkPiece(
    long Index, long? Offset, long? Size, string? Sha256, ReadOnlyMemory<byte> Data, bool IsBase64, bool WasBase64 = false);

/// <summary>What became of a chunk.</summary>
/// <param name="Index">Its number.</param>
/// <param name="Offset">Where its bytes are.</param>
/// <param name="Received">How many chunks have arrived.</param>
/// <param name="TotalChunks">How many there are.</param>
/// <param name="Duplicate">It had arrived before, with the same bytes.</param>
public readonly record struct ChunkTaken(int Index, long Offset, int Received, int TotalChunks, bool Duplicate);

/// <summary>
/// Takes files from clients, in chunks: in any order, twice, over several connections and restarts of the host. Every failure is a
/// <see cref="BridgeException"/>, and then nothing has changed.
/// </summary>
public interface ITransfers
{
    /// <summary>Begins a transfer, or goes on with it: the same request again tells what has arrived. Durable when it answers.</summary>
    ValueTask<TransferStatus> InitAsync(TransferClient client, UploadRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// Takes a chunk. It counts as arrived when this answers; it is certain to survive a crash of the host a little later, and what <c>init</c> then says
    /// is true.
    /// </summary>
    ValueTask<ChunkTaken> ChunkAsync(TransferClient client, string transferId, ChunkPiece piece, CancellationToken cancellationToken = default);

    /// <summary>Checks the whole and makes it a file. When this answers, the file is on the disk under its final name. Again: the same answer.</summary>
    /// <param name="client">Who asks.</param>
    /// <param name="transferId">The transfer.</param>
    /// <param name="sha256">The file's SHA-256 in hexadecimal, where it wasn't known at the beginning; or null.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    ValueTask<TransferStatus> CompleteAsync(TransferClient client, string transferId, string? sha256, CancellationToken cancellationToken = default);

    /// <summary>Gives a transfer up and removes its bytes; false when there is none.</summary>
    ValueTask<bool> AbortAsync(TransferClient client, string transferId, CancellationToken cancellationToken = default);

    /// <summary>How far a transfer is.</summary>
    ValueTask<TransferStatus> StatusAsync(TransferClient client, string transferId, CancellationToken cancellationToken = default);
}
