using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Transfers;

/// <summary>How a channel tells a client about a file that comes to it. Each call completes when it was flushed or couldn't be.</summary>
public interface IFileSink
{
    /// <summary>The connection.</summary>
    IClientConnection Connection { get; }

    /// <summary>False once another client gets the account's messages: then the transfer stops, to go on with that one.</summary>
    bool IsWanted { get; }

    /// <summary>A file is about to come.</summary>
    ValueTask<PushOutcome> InitAsync(FileOffer offer, CancellationToken cancellationToken);

    /// <summary>A piece of it.</summary>
    ValueTask<PushOutcome> ChunkAsync(FileOffer offer, int index, ReadOnlyMemory<byte> bytes, bool binary, CancellationToken cancellationToken);

    /// <summary>Every piece has been confirmed.</summary>
    ValueTask<PushOutcome> CompleteAsync(FileOffer offer, CancellationToken cancellationToken);

    /// <summary>It isn't coming after all.</summary>
    ValueTask<PushOutcome> AbortAsync(FileOffer offer, string reason, CancellationToken cancellationToken);
}

/// <summary>A file on its way to a client.</summary>
/// <param name="TransferId">The transfer.</param>
/// <param name="Message">The message that it belongs to.</param>
/// <param name="File">The file.</param>
/// <param name="ChunkSize">Bytes of each chunk but the last.</param>
/// <param name="TotalChunks">How many there are.</param>
/// <param name="Confirmed">Runs of chunks that the client has confirmed before: those aren't sent again unless it asks.</param>
public sealed record FileOffer(
    string TransferId, OutboundMessage Message, Attachment File, int ChunkSize, int TotalChunks, IReadOnlyList<(int First, int Last)> Confirmed);

/// <summary>A client's word about a file that comes to it.</summary>
public sealed record FileAck
{
    /// <summary><c>init</c>, <c>chunk</c>, <c>complete</c> or <c>abort</c>.</summary>
    public required string Stage { get; init; }

    /// <summary>Of <c>chunk</c>: which.</summary>
    public int? ChunkIndex { get; init; }

    /// <summary>False: it couldn't take it.</summary>
    public bool Ok { get; init; } = true;

    /// <summary>Of <c>complete</c>: where the client has put it.</summary>
    public string? Path { get; init; }

    /// <summary>With <see cref="Ok"/> false: why.</summary>
    public string? Error { get; init; }

    /// <summary>Of <c>init</c>: chunks may come as binary messages.</summary>
    public bool Binary { get; init; }

    /// <summary>Of <c>init</c>: runs of chunks that the client has; null: as the host remembers.</summary>
    public IReadOnlyList<(int First, int Last)>? Has { get; init; }
}

/// <summary>Sends files to clients.</summary>
public interface IFileSender
{
    /// <summary>Takes a client's word about a file; false when nobody waits for it.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Forbidden"/>: the transfer goes to another connection.</exception>
    bool Ack(string account, string transferId, IClientConnection connection, FileAck ack);

    /// <summary>How far a transfer is that is under way now, or null. What has arrived is what the client has confirmed.</summary>
    TransferStatus? Status(string account, string transferId);

    /// <summary>How many acks of an account's clients are awaited: one for each chunk under way, one for a file whose beginning or end isn't confirmed.</summary>
    int AwaitingAcks(string account);

    /// <summary>Sends a message's file; returns where the client has put it, or null when the client is gone (or isn't wanted any more).</summary>
    /// <exception cref="BridgeException">The client refused it, or didn't answer in time.</exception>
    ValueTask<string?> SendAsync(Guid messageId, OutboundMessage message, IFileSink sink, CancellationToken cancellationToken);
}
