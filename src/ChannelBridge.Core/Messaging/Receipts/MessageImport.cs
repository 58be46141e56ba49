using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol.Buffers;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <inheritdoc cref="IMessageImport"/>
internal sealed class MessageImport(IStore store, TimeProvider time) : IMessageImport
{
    private const int BatchSize = 256;

    public async ValueTask<int> ImportAsync(IReadOnlyList<ImportedMessage> messages, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var known = 0;
        foreach (var batch in messages.Chunk(BatchSize))
        {
            var appends = Array.ConvertAll(batch, Append);
            await store.CommitAsync(appends, cancellationToken).ConfigureAwait(false);
            known += appends.Count(append => append.Duplicate);
            await BuryAsync(batch, appends, cancellationToken).ConfigureAwait(false);
        }

        return known;
    }

    /// <summary>A dead letter is appended and then given up. An import that was cut off in between left it pending: then the second one gives it up.</summary>
    private async ValueTask BuryAsync(ImportedMessage[] batch, OutboxAppend[] appends, CancellationToken cancellationToken)
    {
        var burials = new List<StoreWrite>();
        for (var i = 0; i < batch.Length; i++)
        {
            if (!batch[i].Dead) continue;
            if (appends[i].Duplicate && await store.GetOutboxAsync(appends[i].Id, cancellationToken).ConfigureAwait(false) is not { Settled: false }) continue;
            burials.Add(new OutboxUpdate
            {
                LaneId = appends[i].LaneId,
                Seq = appends[i].Seq,
                State = DeliveryState.Dead,
                Settled = true,
                Attempts = batch[i].Attempts,
                Error = batch[i].Error,
                // Kept from now on, however old it is.
                At = time.GetUtcNow().ToUnixTimeMilliseconds(),
                Claim = StoreWrite.Unfenced,
            });
        }

        if (burials.Count > 0) await store.CommitAsync(burials, cancellationToken).ConfigureAwait(false);
    }

    private static OutboxAppend Append(ImportedMessage entry)
    {
        var message = entry.Message;
        using var payload = new PooledBuffer(512 + message.Text.Length);
        MessageCodec.Write(message, payload);
        return new OutboxAppend
        {
            Lane = new LaneKey(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey),
            Id = entry.Id,
            At = entry.CreatedAt,
            Payload = payload.Written.ToArray(),
            Claim = StoreWrite.Unfenced,
        };
    }
}
