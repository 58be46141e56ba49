using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <inheritdoc cref="IDeliveries"/>
internal sealed class Deliveries(IStore store, MessagingOptions options) : IDeliveries
{
    public TimeSpan Retention => options.ReceiptRetention;

    public async ValueTask<Delivery?> FindAsync(Guid id, CancellationToken cancellationToken = default) =>
        await store.GetOutboxAsync(id, cancellationToken).ConfigureAwait(false) is { } entry ? Describe(entry) : null;

    public async ValueTask<IReadOnlyList<Delivery>> ListAsync(OutboxQuery query, CancellationToken cancellationToken = default)
    {
        var entries = await store.QueryOutboxAsync(query, cancellationToken).ConfigureAwait(false);
        return [.. entries.Select(Describe)];
    }

    private static Delivery Describe(OutboxEntry entry) => new()
    {
        Id = entry.Id,
        Lane = entry.Lane,
        Seq = entry.Seq,
        State = entry.State,
        Attempts = entry.Attempts,
        AcceptedAt = entry.AcceptedAt,
        EndedAt = entry.EndedAt,
        Error = entry.Error,
        Message = Read(entry.Payload.Span),
    };

    /// <summary>The message; null where it is gone, or damaged: a receipt can be told without it.</summary>
    private static OutboundMessage? Read(ReadOnlySpan<byte> payload)
    {
        try
        {
            return payload.IsEmpty ? null : MessageCodec.ReadOutbound(payload);
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.StoreCorrupt)
        {
            return null;
        }
    }
}
