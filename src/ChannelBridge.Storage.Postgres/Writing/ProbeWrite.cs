using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <summary>Commits a small test write, to see whether the store can be written.</summary>
internal sealed class ProbeWrite : StoreWrite
{
    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }
}
