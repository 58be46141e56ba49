using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// Nonces that were used, in the store: neither a restart nor another host of the store takes a request twice. Only what a member has signed comes here, and a nonce is
/// forgotten when its time alone would refuse it.
/// </summary>
internal sealed class NonceBook(IRecords records, TimeProvider time)
{
    private const string Namespace = "multiclaws.nonce";

    /// <summary>Takes a proof's nonce.</summary>
    /// <returns>False: it was used before.</returns>
    public async ValueTask<bool> TryTakeAsync(RequestProof proof, CancellationToken cancellationToken)
    {
        var put = new RecordPut
        {
            Namespace = Namespace,
            Key = $"{proof.Key.Id}/{proof.Nonce}",
            Value = "1"u8.ToArray(),
            ExpectedVersion = 0,
            At = time.GetUtcNow().ToUnixTimeMilliseconds(),
            ExpiresAt = proof.TimeMs + (long)(2 * RequestProof.Skew).TotalMilliseconds,
        };
        await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
        return put.TookPlace;
    }
}
