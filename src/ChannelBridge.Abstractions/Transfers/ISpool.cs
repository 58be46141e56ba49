using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Transfers;

/// <summary>A message that needs a file.</summary>
public enum SpoolUse
{
    /// <summary>An inbox entry: the file is kept until its turn is finished.</summary>
    Inbox,

    /// <summary>An outbox entry: the file is kept until its receipt is final.</summary>
    Outbox,
}

/// <summary>
/// Files on the host's disk: what clients have uploaded, and what agents and operators send. The same content is kept once, whoever brought it.
/// </summary>
public interface ISpool
{
    /// <summary>Takes a file for an account. When this returns, it is on the disk.</summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="account">The account.</param>
    /// <param name="content">Read to its end; not disposed.</param>
    /// <param name="fileName">A name to show, or null.</param>
    /// <param name="mimeType">What its source says it is, or null; the bytes decide.</param>
    /// <param name="size">Its size, where known before; then it is checked against the quotas before anything is written.</param>
    /// <param name="cancellationToken">Gives up; nothing is kept.</param>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.QuotaExceeded"/>, <see cref="ErrorCodes.PayloadTooLarge"/>, <see cref="ErrorCodes.StoreFull"/>.</exception>
    ValueTask<Attachment> ImportAsync(
        string channel, string account, Stream content, string? fileName, string? mimeType, long? size, CancellationToken cancellationToken = default);

    /// <summary>The account's file at a path that <c>complete</c> answered, or null: every other path, and every other account's file, is none.</summary>
    ValueTask<Attachment?> FindAsync(string channel, string account, string path, CancellationToken cancellationToken = default);

    /// <summary>Keeps a file as long as a message needs it.</summary>
    ValueTask KeepAsync(Attachment file, SpoolUse use, Guid messageId, CancellationToken cancellationToken = default);

    /// <summary>The path on this host's disk.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Unavailable"/>: it isn't on this host's disk.</exception>
    string PathOf(Attachment file);

    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Unavailable"/>: it isn't on this host's disk.</exception>
    Stream OpenRead(Attachment file);

    /// <summary>Reads a whole file, wherever its bytes are: inline or in the spool.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.PayloadTooLarge"/>: it is larger than <paramref name="maxBytes"/>.</exception>
    ValueTask<byte[]> ReadAsync(Attachment file, int maxBytes, CancellationToken cancellationToken = default);
}
