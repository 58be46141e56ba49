using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Pki;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>The identities that were registered here. What was read is remembered for a moment, so that a host sees another one's changes within a second.</summary>
internal sealed class IdentityBook(IRecords records, Authority authority, AunOptions options, TimeProvider time)
{
    public const string Namespace = "aun.identity";
    private const string RevokedNamespace = "aun.revoked";
    private const string CountName = "aun.identities";
    // Fresh for a second only, so no more than are busy in one: a certificate is most of what an idle connection would cost.
    private const int MostRemembered = 2_000;
    private const int Crowd = 200;
    private const int Page = 500;
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CrlTime = TimeSpan.FromHours(1);
    private static readonly TimeSpan CrlFresh = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, (IdentityRecord Identity, long At)> _known = new(StringComparer.Ordinal);
    // A chain is built once for a certificate: that costs more than all else of a sealed message together.
    private readonly BoundedCache<string, PeerIdentity> _peers = new(4096);
    private (string Pem, long At)? _crl;
    private long _count;
    private long _lookedAt = time.GetTimestamp();

    /// <summary>Hears of an identity that was revoked here.</summary>
    public Action<string>? Revoked { get; set; }

    /// <summary>An identity, or null.</summary>
    public ValueTask<IdentityRecord?> FindAsync(string aid, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(aid, out var known) && time.GetElapsedTime(known.At) < Fresh) return ValueTask.FromResult<IdentityRecord?>(known.Identity);
        return AidName.IsSound(aid) ? ReadAsync(aid, cancellationToken) : ValueTask.FromResult<IdentityRecord?>(null);
    }

    /// <summary>Registers an identity.</summary>
    /// <returns>Null when there is one of that name.</returns>
    public async ValueTask<IdentityRecord?> AddAsync(string aid, byte[] spki, bool held, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _count) >= options.MaxIdentities) throw new RpcFault(RpcFault.Failed, "this gateway takes no further identities");
        if (await FindAsync(aid, cancellationToken).ConfigureAwait(false) is not null) return null;
        using var certificate = authority.Issue(aid, spki);
        var identity = new IdentityRecord
        {
            Aid = aid,
            PublicKey = Convert.ToBase64String(spki),
            Certificate = certificate.ExportCertificatePem() + "\n",
            Serial = certificate.SerialNumber.ToUpperInvariant(),
            EndsAt = certificate.Ends().ToUnixTimeMilliseconds(),
            CreatedAt = Now,
            Held = held,
        };
        var put = Put(identity, 0);
        var count = new SequenceNext { Name = CountName, With = put };
        await records.WriteAsync([put, count], cancellationToken).ConfigureAwait(false);
        if (put.Conflict) return null;
        Volatile.Write(ref _count, count.Value);
        Remember(identity);
        return identity;
    }

    /// <summary>Gives an identity a new certificate for the key that it has, when its own ends soon; null: that isn't needed.</summary>
    public async ValueTask<IdentityRecord?> RenewAsync(IdentityRecord identity, CancellationToken cancellationToken)
    {
        var ends = EndOf(identity);
        if (ends - time.GetUtcNow() > TimeSpan.FromDays(30)) return null;
        using var next = authority.Issue(identity.Aid, Convert.FromBase64String(identity.PublicKey));
        if (next.Ends() <= ends) return null;
        var stored = await records.GetRecordAsync(Namespace, identity.Aid, cancellationToken).ConfigureAwait(false);
        if (stored is null) return null;
        var renewed = identity with
        {
            Certificate = next.ExportCertificatePem() + "\n",
            Serial = next.SerialNumber.ToUpperInvariant(),
            EndsAt = next.Ends().ToUnixTimeMilliseconds(),
        };
        var put = Put(renewed, stored.Version);
        await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
        if (put.Conflict) return null;
        Remember(renewed);
        return renewed;
    }

    /// <summary>Until when an identity's certificate is valid.</summary>
    public static DateTimeOffset EndOf(IdentityRecord identity)
    {
        if (identity.EndsAt > 0) return DateTimeOffset.FromUnixTimeMilliseconds(identity.EndsAt);
        using var certificate = X509Certificate2.CreateFromPem(identity.Certificate);
        return certificate.Ends();
    }

    /// <summary>Revokes an identity; false when there is none. Its logins end, its certificate is in the list of those revoked.</summary>
    public async ValueTask<bool> RevokeAsync(string aid, CancellationToken cancellationToken)
    {
        while (true)
        {
            var stored = AidName.IsSound(aid) ? await records.GetRecordAsync(Namespace, aid, cancellationToken).ConfigureAwait(false) : null;
            if (stored is null) return false;
            var identity = Read(stored);
            if (identity.RevokedAt > 0) return true;
            var put = Put(identity with { RevokedAt = Now }, stored.Version);
            var listed = new RecordPut
            {
                Namespace = RevokedNamespace,
                Key = identity.Serial,
                Value = JsonSerializer.SerializeToUtf8Bytes(new RevokedRecord(aid, Now), EndpointJson.Default.RevokedRecord),
                At = Now,
                With = put,
            };
            await records.WriteAsync([put, listed], cancellationToken).ConfigureAwait(false);
            if (put.Conflict) continue;
            _known.TryRemove(aid, out _);
            _crl = null;
            Revoked?.Invoke(aid);
            return true;
        }
    }

    /// <summary>Identities by name, behind one.</summary>
    public async ValueTask<IReadOnlyList<IdentityRecord>> ListAsync(string? after, int limit, CancellationToken cancellationToken) =>
        [.. (await records.ListRecordsAsync(Namespace, null, after, limit, cancellationToken).ConfigureAwait(false)).Select(Read)];

    /// <summary>What <c>/pki/crl.json</c> answers.</summary>
    public async ValueTask<JsonObject> CrlAsync(CancellationToken cancellationToken)
    {
        var crl = _crl;
        if (crl is not { } known || time.GetElapsedTime(known.At) > CrlFresh)
        {
            var all = new List<(string, DateTimeOffset)>();
            string? after = null;
            while (true)
            {
                var page = await records.ListRecordsAsync(RevokedNamespace, null, after, Page, cancellationToken).ConfigureAwait(false);
                foreach (var one in page)
                {
                    var revoked = JsonSerializer.Deserialize(one.Value.Span, EndpointJson.Default.RevokedRecord)!;
                    all.Add((one.Key, DateTimeOffset.FromUnixTimeMilliseconds(revoked.At)));
                }

                if (page.Count < Page) break;
                after = page[^1].Key;
            }

            known = (authority.MakeCrl(all, Now, CrlTime), time.GetTimestamp());
            _crl = known;
        }

        return new JsonObject { ["crl_pem"] = known.Pem, ["next_update_s"] = (long)CrlTime.TotalSeconds };
    }

    /// <summary>The public key of an identity that holds, for checks of what it has signed.</summary>
    public async ValueTask<PeerIdentity?> PeerAsync(string aid, CancellationToken cancellationToken)
    {
        if (await FindAsync(aid, cancellationToken).ConfigureAwait(false) is not { RevokedAt: 0 } identity) return null;
        if (_peers.TryGet(identity.Certificate, out var known) && known.Aid == aid && known.NotAfter > time.GetUtcNow()) return known;
        using var certificate = X509Certificate2.CreateFromPem(identity.Certificate);
        if (authority.Fault(certificate, aid) is not null) return null;
        var peer = new PeerIdentity(aid, certificate);
        _peers.Set(identity.Certificate, peer);
        return peer;
    }

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    private async ValueTask<IdentityRecord?> ReadAsync(string aid, CancellationToken cancellationToken)
    {
        if (await records.GetRecordAsync(Namespace, aid, cancellationToken).ConfigureAwait(false) is not { } stored) return null;
        var identity = Read(stored);
        Remember(identity);
        return identity;
    }

    private void Remember(IdentityRecord identity)
    {
        // What is no longer fresh goes when there is a crowd, and all of it in a greater one.
        if (_known.Count >= Crowd && time.GetElapsedTime(Interlocked.Read(ref _lookedAt)) >= Fresh)
        {
            Interlocked.Exchange(ref _lookedAt, time.GetTimestamp());
            foreach (var (aid, known) in _known)
            {
                if (time.GetElapsedTime(known.At) >= Fresh) _known.TryRemove(aid, out _);
            }
        }

        if (_known.Count >= MostRemembered) _known.Clear();
        _known[identity.Aid] = (identity, time.GetTimestamp());
    }

    private static IdentityRecord Read(StoreRecord stored) => JsonSerializer.Deserialize(stored.Value.Span, EndpointJson.Default.IdentityRecord)!;

    private RecordPut Put(IdentityRecord identity, long expected) => new()
    {
        Namespace = Namespace,
        Key = identity.Aid,
        Value = JsonSerializer.SerializeToUtf8Bytes(identity, EndpointJson.Default.IdentityRecord),
        ExpectedVersion = expected,
        At = Now,
    };
}
