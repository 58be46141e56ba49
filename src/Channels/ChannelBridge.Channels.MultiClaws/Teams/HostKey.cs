using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>The key by which members know this host: made when it is first needed, kept sealed, the same for all hosts of one store.</summary>
internal sealed class HostKey(IRecords records, ISecretSeal seal, TimeProvider time) : IDisposable
{
    private const string Namespace = "multiclaws.key";
    private const string Record = "self";

    private readonly SemaphoreSlim _gate = new(1);
    private MemberKey? _key;

    /// <summary>The key, if it was needed before.</summary>
    public MemberKey? Known => Volatile.Read(ref _key);

    /// <summary>The key.</summary>
    public async ValueTask<MemberKey> GetAsync(CancellationToken cancellationToken)
    {
        if (Known is { } known) return known;
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_key is { } meanwhile) return meanwhile;
            if (await ReadAsync(cancellationToken).ConfigureAwait(false) is { } kept) return _key = kept;
            using var made = MemberKey.Create();
            var put = new RecordPut
            {
                Namespace = Namespace,
                Key = Record,
                Value = JsonSerializer.SerializeToUtf8Bytes(new StoredKey { SealedKey = seal.Seal(made.Save(), Namespace) }, TeamJson.Default.StoredKey),
                ExpectedVersion = 0,
                At = time.GetUtcNow().ToUnixTimeMilliseconds(),
            };
            await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
            // Another host of the store may have been faster: then its key is the one.
            return _key = await ReadAsync(cancellationToken).ConfigureAwait(false)
                ?? throw new BridgeException(ErrorCodes.StoreUnavailable, "The key of this host was written and isn't there.") { Retryable = true };
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>The key, if there is one in the store.</summary>
    public async ValueTask<MemberKey?> FindAsync(CancellationToken cancellationToken)
    {
        if (Known is { } known) return known;
        return await records.GetRecordAsync(Namespace, Record, cancellationToken).ConfigureAwait(false) is null ? null : await GetAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _key?.Dispose();
        _gate.Dispose();
    }

    private async ValueTask<MemberKey?> ReadAsync(CancellationToken cancellationToken)
    {
        if (await records.GetRecordAsync(Namespace, Record, cancellationToken).ConfigureAwait(false) is not { } record) return null;
        var stored = JsonSerializer.Deserialize(record.Value.Span, TeamJson.Default.StoredKey)!;
        return MemberKey.Load(seal.Open(stored.SealedKey, Namespace));
    }
}
