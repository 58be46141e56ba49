using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>
/// The prekeys of an identity on one device: the newest is published and made anew each hour; private halves are kept for a week, sealed at rest under the identity's own key, so
/// that what was sealed for an older one can still be opened.
/// </summary>
internal sealed class PrekeyBook(IdentityKeys identity, string deviceId, IRecords records, TimeProvider time) : IDisposable
{
    /// <summary>Where they stand in the store.</summary>
    public const string Namespace = "aun.prekey";

    /// <summary>How old the newest may be.</summary>
    public static readonly TimeSpan RenewAfter = TimeSpan.FromHours(1);

    /// <summary>How long private halves are kept.</summary>
    public static readonly TimeSpan KeepFor = TimeSpan.FromDays(7);

    private readonly BoundedCache<string, (ECDiffieHellman Key, long Until)> _known = new(512);
    private readonly SemaphoreSlim _making = new(1, 1);
    private DevicePrekey? _newest;

    /// <summary>The newest; made when there is none, or when it is an hour old.</summary>
    public async ValueTask<DevicePrekey> NewestAsync(CancellationToken cancellationToken)
    {
        if (Fresh() is { } newest) return newest;
        await _making.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return Fresh() ?? await MakeAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _making.Release();
        }
    }

    /// <summary>The private half of a prekey; null when it never was here, or its time is over.</summary>
    public async ValueTask<ECDiffieHellman?> FindAsync(string prekeyId, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (_known.TryGet(prekeyId, out var known)) return known.Until > now ? known.Key : null;
        if (prekeyId.Length > 200 || await records.GetRecordAsync(Namespace, KeyOf(prekeyId), cancellationToken).ConfigureAwait(false) is not { } stored) return null;
        var record = JsonSerializer.Deserialize(stored.Value.Span, PrekeyJson.Default.StoredPrekey)!;
        var until = record.CreatedAt + (long)KeepFor.TotalMilliseconds;
        if (until <= now || Unseal(prekeyId, record) is not { } key) return null;
        return _known.GetOrAdd(prekeyId, () => (key, until)).Key;
    }

    /// <inheritdoc/>
    public void Dispose() => _making.Dispose();

    private DevicePrekey? Fresh() =>
        _newest is { CreatedAt: { } at } newest && time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(at) < RenewAfter ? newest : null;

    private async ValueTask<DevicePrekey> MakeAsync(CancellationToken cancellationToken)
    {
        var key = P256.NewPair();
        var id = Guid.NewGuid().ToString();
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var publicKey = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
        await records.WriteAsync(
            new RecordPut
            {
                Namespace = Namespace,
                Key = KeyOf(id),
                Value = JsonSerializer.SerializeToUtf8Bytes(SealAtRest(id, key, now), PrekeyJson.Default.StoredPrekey),
                ExpiresAt = now + (long)KeepFor.TotalMilliseconds,
                At = now,
            },
            cancellationToken).ConfigureAwait(false);
        _known.Set(id, (key, now + (long)KeepFor.TotalMilliseconds));
        return _newest = new DevicePrekey
        {
            Id = id,
            PublicKey = publicKey,
            Signature = Convert.ToBase64String(identity.Sign(DevicePrekey.SignedBytes(id, publicKey, now))),
            CreatedAt = now,
            DeviceId = deviceId,
            CertFingerprint = identity.Fingerprint,
        };
    }

    private string KeyOf(string prekeyId) => $"{identity.Aid}/{prekeyId}";

    private StoredPrekey SealAtRest(string id, ECDiffieHellman key, long now)
    {
        var plain = key.ExportPkcs8PrivateKey();
        try
        {
            var (nonce, sealedKey, tag) = (RandomNumberGenerator.GetBytes(Envelope.NonceLength), new byte[plain.Length], new byte[Envelope.TagLength]);
            using var cipher = new AesGcm(identity.StoreKey, Envelope.TagLength);
            cipher.Encrypt(nonce, plain, sealedKey, tag, Encoding.UTF8.GetBytes(KeyOf(id)));
            return new StoredPrekey(nonce, sealedKey, tag, now);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    private ECDiffieHellman? Unseal(string id, StoredPrekey record)
    {
        var plain = new byte[record.Sealed.Length];
        try
        {
            using var cipher = new AesGcm(identity.StoreKey, Envelope.TagLength);
            cipher.Decrypt(record.Nonce, record.Sealed, record.Tag, plain, Encoding.UTF8.GetBytes(KeyOf(id)));
            var key = ECDiffieHellman.Create();
            key.ImportPkcs8PrivateKey(plain, out _);
            return key;
        }
        catch (CryptographicException)
        {
            // Of another key of the same identity: it can't be what this message was sealed for.
            return null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }
}

/// <summary>A prekey at rest.</summary>
internal sealed record StoredPrekey(byte[] Nonce, byte[] Sealed, byte[] Tag, long CreatedAt);

/// <summary>How it is written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StoredPrekey))]
internal sealed partial class PrekeyJson : JsonSerializerContext;
