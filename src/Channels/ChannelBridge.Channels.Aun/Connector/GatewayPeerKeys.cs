using System.Buffers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Aun.Endpoint;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>The keys of others from a gateway: certificates over HTTP, each checked up to a trusted root, and prekeys over the connection.</summary>
internal sealed class GatewayPeerKeys(Func<GatewayView?> view, Func<GatewaySocket?> socket, AunConnectorOptions options, TimeProvider time) : IPeerKeys
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789abcdef");
    private const int MostDevices = 256;
    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan ListKept = TimeSpan.FromMinutes(5);
    private readonly BoundedCache<(string Aid, string? Fingerprint), (PeerIdentity Identity, string Serial, long At)> _known = new(2048);
    private (RevocationList? List, long At)? _revoked;

    /// <inheritdoc/>
    public async ValueTask<PeerIdentity?> FindAsync(string aid, string? fingerprint, CancellationToken cancellationToken)
    {
        if (!AidName.IsSound(aid) || (fingerprint is not null && !IsFingerprint(fingerprint))) return null;
        var now = time.GetUtcNow();
        if (_known.TryGet((aid, fingerprint), out var known) && time.GetElapsedTime(known.At) < Kept && known.Identity.NotAfter > now
            && _revoked is { } list && time.GetElapsedTime(list.At) < ListKept)
        {
            return list.List?.Contains(known.Serial) is true ? null : known.Identity;
        }

        var (gateway, trust, http, login) = view() ?? throw BridgeException.Unavailable("there is no connection to the gateway");
        var path = fingerprint is null ? $"/pki/cert/{aid}" : $"/pki/cert/{aid}?cert_fingerprint={Uri.EscapeDataString(fingerprint)}";
        if (await http.GetAsync(GatewayAddress.Http(gateway, path), cancellationToken).ConfigureAwait(false) is not { } pem) return null;
        try
        {
            using var certificate = trust.Verify(pem, await login.ChainAsync(cancellationToken).ConfigureAwait(false), aid, out var issuer);
            using var issued = issuer;
            if (await RevokedAsync(gateway, http, issuer, cancellationToken).ConfigureAwait(false) is { } revoked && revoked.Contains(certificate.SerialNumber)) return null;
            var identity = new PeerIdentity(aid, certificate);
            if (fingerprint is not null && !identity.Is(fingerprint)) return null;
            _known.Set((aid, fingerprint), (identity, certificate.SerialNumber, time.GetTimestamp()));
            return identity;
        }
        catch (Exception fault) when (fault is AunCallException or CryptographicException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<DevicePrekey>> PrekeysAsync(string aid, CancellationToken cancellationToken)
    {
        var open = socket() ?? throw BridgeException.Unavailable("there is no connection to the gateway");
        JsonElement answer;
        try
        {
            answer = await open.CallAsync("message.e2ee.get_prekey", writer => writer.WriteString("aid"u8, aid), options.CallTimeout, cancellationToken).ConfigureAwait(false);
        }
        catch (AunCallException fault) when (fault.Class == AunErrorClass.NotFound)
        {
            return [];
        }

        var found = Wire.List(answer, "device_prekeys").Take(MostDevices).Select(Read).OfType<DevicePrekey>().ToList();
        if (found.Count == 0 && answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("prekey"u8, out var single) && Read(single) is { } one) found.Add(one);
        return found;
    }

    // A gateway may have no list, or not now; then the last one holds. One that its issuer hasn't signed is none.
    private async ValueTask<RevocationList?> RevokedAsync(Uri gateway, GatewayHttp http, X509Certificate2 issuer, CancellationToken cancellationToken)
    {
        if (_revoked is { } known && time.GetElapsedTime(known.At) < ListKept) return known.List;
        var list = _revoked?.List;
        try
        {
            if (await http.GetAsync(GatewayAddress.Http(gateway, "/pki/crl.json"), cancellationToken).ConfigureAwait(false) is { } text
                && Wire.Text(JsonElement.Parse(Encoding.UTF8.GetBytes(text)), "crl_pem", int.MaxValue) is { } pem)
            {
                list = RevocationList.Read(pem, issuer) ?? list;
            }
        }
        catch (Exception fault) when (fault is BridgeException or JsonException)
        {
            // As above.
        }

        _revoked = (list, time.GetTimestamp());
        return list;
    }

    private static DevicePrekey? Read(JsonElement json) =>
        Wire.Text(json, "prekey_id", 200) is { Length: > 0 } id && Wire.Text(json, "public_key", 1024) is { } key && Wire.Text(json, "signature", 1024) is { } signature
            ? new DevicePrekey
            {
                Id = id,
                PublicKey = key,
                Signature = signature,
                CreatedAt = Wire.Whole(json, "created_at"),
                DeviceId = Wire.Text(json, "device_id", 200) ?? "",
                CertFingerprint = Wire.Text(json, "cert_fingerprint", 200) is { Length: > 0 } fingerprint ? fingerprint : null,
            }
            : null;

    private static bool IsFingerprint(string text) =>
        text.Length == 71 && text.StartsWith("sha256:", StringComparison.Ordinal) && !text.AsSpan(7).ContainsAnyExcept(Digits);
}

/// <summary>What is known of a gateway while there is a connection to it, or was.</summary>
/// <param name="Gateway">Its WebSocket.</param>
/// <param name="Trust">The roots.</param>
/// <param name="Http">It over HTTP.</param>
/// <param name="Login">Who has its chain.</param>
internal sealed record GatewayView(Uri Gateway, PkiTrust Trust, GatewayHttp Http, GatewayLogin Login);
