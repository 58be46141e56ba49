using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Transfers;

/// <summary>Takes files that agents and operators send into the spool: bytes, a path within the allowed folders, or a URL of the public internet.</summary>
public interface IMediaSource
{
    /// <summary>Takes a file. What is in the spool already, or has neither bytes nor a place, is given back as it is.</summary>
    /// <param name="channel">The channel that it goes to.</param>
    /// <param name="account">The account that it goes to.</param>
    /// <param name="file">The file.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="BridgeException">
    /// <see cref="ErrorCodes.Forbidden"/>: the path is outside the allowed folders. <see cref="ErrorCodes.InvalidRequest"/>: the URL leads to a private address.
    /// <see cref="ErrorCodes.NotFound"/>, <see cref="ErrorCodes.PayloadTooLarge"/>, <see cref="ErrorCodes.QuotaExceeded"/>, <see cref="ErrorCodes.StoreFull"/>.
    /// </exception>
    ValueTask<Attachment> TakeAsync(string channel, string account, Attachment file, CancellationToken cancellationToken = default);
}
