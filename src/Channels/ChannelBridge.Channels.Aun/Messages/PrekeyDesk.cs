using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Endpoint;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>The prekeys that devices publish, and the guard against replays that they may ask. Also where sealers of this host find keys.</summary>
/// <param name="records">The store.</param>
/// <param name="identities">Whose keys sign them.</param>
/// <param name="time">The clock.</param>
/// <param name="isShared">True: other hosts write prekeys into the store, so what was read is read again each time.</param>
internal sealed class PrekeyDesk(IRecords records, IdentityBook identities, TimeProvider time, bool isShared) : IPeerKeys
{
    private const string Namespace = "aun.prekey";
    private const string GuardNamespace = "aun.guard";
    private const int MostDevices = 64;
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);
    private static readonly TimeSpan GuardKept = TimeSpan.FromDays(7);

    // Shorter than any prekey lives; what this host publishes is known at once.
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    private readonly BoundedCache<string, (IReadOnlyList<PrekeyRecord> All, long At)> _known = new(512);
    private readonly Lock _gate = new();
    private long _changes;

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary><c>message.e2ee.put_prekey</c>.</summary>
    public async ValueTask<JsonObject> PutAsync(SlotKey key, JsonElement parameters, CancellationToken cancellationToken)
    {
        // Some SDKs nest it, others don't.
        var from = Params.Object(parameters, "prekey") ?? parameters;
        if (Params.Text(parameters, "device_id") is { } named && named != key.Device) throw new RpcFault(RpcFault.InvalidParams, "device_id isn't this connection's");
        long? createdAt = null;
        if (from.TryGetProperty("created_at"u8, out var at) && at.ValueKind != JsonValueKind.Null)
            createdAt = at.ValueKind == JsonValueKind.Number && at.TryGetInt64(out var ms) ? ms : throw new RpcFault(RpcFault.InvalidParams, "created_at must be a whole number");
        var prekey = new DevicePrekey
        {
            Id = Params.Needed(from, "prekey_id"),
            PublicKey = Params.Needed(from, "public_key", 1024),
            Signature = Params.Needed(from, "signature", 512),
            CreatedAt = createdAt,
            DeviceId = key.Device,
            CertFingerprint = Params.Text(from, "cert_fingerprint"),
        };
        if (await identities.PeerAsync(key.Aid, cancellationToken).ConfigureAwait(false) is not { } identity || !prekey.IsSignedBy(identity))
            throw new RpcFault(RpcFault.InvalidParams, "signature isn't that of the AID's key over the prekey");
        if (prekey.IsOutOfTime(time.GetUtcNow())) throw new RpcFault(RpcFault.InvalidParams, "created_at is more than 30 days ago, or lies ahead");
        await StoreAsync(key.Aid, prekey, cancellationToken).ConfigureAwait(false);
        return new JsonObject { ["success"] = true, ["prekey_id"] = prekey.Id, ["device_id"] = prekey.DeviceId };
    }

    /// <summary>Publishes a prekey that was checked.</summary>
    public async ValueTask StoreAsync(string aid, DevicePrekey prekey, CancellationToken cancellationToken)
    {
        var record = new PrekeyRecord(prekey.Id, prekey.PublicKey, prekey.Signature, prekey.CreatedAt, prekey.DeviceId, prekey.CertFingerprint, Now);
        var all = await records.ListRecordsAsync(Namespace, aid, null, MostDevices, cancellationToken).ConfigureAwait(false);
        var mine = $"{aid}\n{prekey.DeviceId}";
        if (all.Count >= MostDevices && all.All(one => one.Key != mine)) throw new RpcFault(RpcFault.Failed, $"an AID has prekeys for at most {MostDevices} devices");
        await records.WriteAsync(
            new RecordPut
            {
                Namespace = Namespace,
                Key = mine,
                Index = aid,
                Value = JsonSerializer.SerializeToUtf8Bytes(record, MessagesJson.Default.PrekeyRecord),
                ExpiresAt = Now + (long)Kept.TotalMilliseconds,
                At = Now,
            },
            cancellationToken).ConfigureAwait(false);
        lock (_gate)
        {
            _changes++;
            _known.Remove(aid);
        }
    }

    /// <summary><c>message.e2ee.get_prekey</c>.</summary>
    public async ValueTask<JsonObject> GetAsync(JsonElement parameters, CancellationToken cancellationToken)
    {
        var aid = Params.Needed(parameters, "aid", 255);
        var all = await ReadAsync(aid, cancellationToken).ConfigureAwait(false);
        if (all.Count == 0 || await identities.FindAsync(aid, cancellationToken).ConfigureAwait(false) is not { RevokedAt: 0 }) return new JsonObject { ["found"] = false };
        return new JsonObject
        {
            ["found"] = true,
            ["prekey"] = View(all.MaxBy(static one => one.PutAt)!),
            ["device_prekeys"] = new JsonArray([.. all.Select(static one => (JsonNode?)View(one))]),
        };
    }

    /// <summary><c>message.e2ee.record_replay_guard</c>.</summary>
    public async ValueTask<JsonObject> GuardAsync(SlotKey key, JsonElement parameters, CancellationToken cancellationToken)
    {
        var sender = Params.Needed(parameters, "sender_aid", 255);
        var message = Params.Needed(parameters, "message_id");
        var mode = Params.Text(parameters, "encryption_mode") ?? "";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{key.Aid}\n{key.Device}\n{key.Slot}\n{sender}\n{message}\n{mode}")));
        var put = new RecordPut
        {
            Namespace = GuardNamespace,
            Key = hash,
            Value = ReadOnlyMemory<byte>.Empty,
            ExpiresAt = Now + (long)GuardKept.TotalMilliseconds,
            ExpectedVersion = 0,
            At = Now,
        };
        await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
        return new JsonObject { ["duplicate"] = put.Conflict };
    }

    /// <summary>The devices that an AID has prekeys for.</summary>
    public async ValueTask<IReadOnlySet<string>> DevicesAsync(string aid, CancellationToken cancellationToken) =>
        (await ReadAsync(aid, cancellationToken).ConfigureAwait(false)).Select(static one => one.DeviceId ?? "").ToHashSet(StringComparer.Ordinal);

    /// <inheritdoc/>
    public async ValueTask<PeerIdentity?> FindAsync(string aid, string? fingerprint, CancellationToken cancellationToken) =>
        await identities.PeerAsync(aid, cancellationToken).ConfigureAwait(false) is { } peer && (fingerprint is null || peer.Is(fingerprint)) ? peer : null;

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<DevicePrekey>> PrekeysAsync(string aid, CancellationToken cancellationToken) =>
        [.. (await ReadAsync(aid, cancellationToken).ConfigureAwait(false)).Select(static one => new DevicePrekey
        {
            Id = one.PrekeyId,
            PublicKey = one.PublicKey,
            Signature = one.Signature,
            CreatedAt = one.CreatedAt,
            DeviceId = one.DeviceId ?? "",
            CertFingerprint = one.CertFingerprint,
        })];

    private async ValueTask<IReadOnlyList<PrekeyRecord>> ReadAsync(string aid, CancellationToken cancellationToken)
    {
        if (!AidName.IsSound(aid)) return [];
        if (!isShared && _known.TryGet(aid, out var known) && time.GetElapsedTime(known.At) < Fresh) return known.All;
        var (changes, at) = (Volatile.Read(ref _changes), time.GetTimestamp());
        IReadOnlyList<PrekeyRecord> all = [.. (await records.ListRecordsAsync(Namespace, aid, null, MostDevices, cancellationToken).ConfigureAwait(false))
            .Select(static one => JsonSerializer.Deserialize(one.Value.Span, MessagesJson.Default.PrekeyRecord)!)];
        if (isShared) return all;
        lock (_gate)
        {
            // What was published while this was read may not be in it.
            if (changes == _changes) _known.Set(aid, (all, at));
        }

        return all;
    }

    private static JsonObject View(PrekeyRecord one)
    {
        var view = new JsonObject { ["prekey_id"] = one.PrekeyId, ["public_key"] = one.PublicKey, ["signature"] = one.Signature, ["device_id"] = one.DeviceId ?? "" };
        if (one.CreatedAt is { } at) view["created_at"] = at;
        if (one.CertFingerprint is { } fingerprint) view["cert_fingerprint"] = fingerprint;
        return view;
    }
}

/// <summary>A published prekey as it is kept.</summary>
internal sealed record PrekeyRecord(string PrekeyId, string PublicKey, string Signature, long? CreatedAt, string? DeviceId, string? CertFingerprint, long PutAt);
