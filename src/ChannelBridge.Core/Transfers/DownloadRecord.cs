namespace ChannelBridge.Core.Transfers;

/// <summary>A transfer from the host to a client, as the store keeps it: which chunks the client has confirmed.</summary>
internal sealed record DownloadRecord
{
    public required string TransferId { get; init; }

    public required string Sha256 { get; init; }

    public int ChunkSize { get; init; }

    public int TotalChunks { get; init; }

    /// <summary>The confirmed chunks, as <see cref="ChunkMap.ToBytes"/> writes them.</summary>
    public byte[] Confirmed { get; init; } = [];

    /// <summary>How often it has begun from nothing; a part of the transfer's id.</summary>
    public int Round { get; init; }
}
