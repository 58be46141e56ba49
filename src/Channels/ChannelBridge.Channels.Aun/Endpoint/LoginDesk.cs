using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Pki;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>
/// What may be called before a connection is anybody's: registration, both steps of a login, refreshing. Each comes on a connection, or to a host, of its own, so nothing
/// of a login is remembered but that it was used: the first step's answer carries what the second one needs, under this gateway's seal.
/// </summary>
internal sealed class LoginDesk(
    IdentityBook identities, TokenDesk tokens, PairingDesk pairing, Authority authority, IRecords records, IAccessAttempts attempts, AunOptions options, TimeProvider time)
{
    private const string UsedNamespace = "aun.login";
    private const int MaxSpki = 1024;
    private const int LoopbackFactor = 20;
    private const int MostAddresses = 10_000;
    private static readonly TimeSpan NonceTime = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ClientSkew = TimeSpan.FromMinutes(5);

    private readonly byte[] _seal = HKDF.DeriveKey(HashAlgorithmName.SHA256, authority.TokenKey.ExportPkcs8PrivateKey(), 32, info: "channelbridge-aun-login-v1"u8.ToArray());
    private readonly ConcurrentDictionary<IPAddress, Bucket> _registrations = new();
    private readonly BoundedCache<string, ECDsa> _keys = new(1024);

    /// <summary><c>auth.create_aid</c>.</summary>
    public async ValueTask<JsonObject> CreateAsync(JsonElement parameters, IPAddress? address, CancellationToken cancellationToken)
    {
        var aid = Params.Needed(parameters, "aid", 255);
        var publicKey = Params.Needed(parameters, "public_key", 2 * MaxSpki);
        var curve = Params.Text(parameters, "curve") ?? "P-256";
        if (!AidName.MayRegister(aid, options.AllIssuers))
        {
            throw new RpcFault(RpcFault.Failed,
                $"the name can't be given out: 4 to 63 of a-z, 0-9, _ and -, not beginning with - or guest, and one of the issuers {string.Join(", ", options.AllIssuers)}");
        }

        if (curve is not ("P-256" or "secp256r1" or "prime256v1")) throw new RpcFault(RpcFault.Failed, "the curve must be P-256");
        if (!P256.TryReadBase64(publicKey, MaxSpki, out var spki) || !P256.IsPublicKey(spki))
            throw new RpcFault(RpcFault.Failed, "public_key must be base64 of the DER of a P-256 key (SPKI)");
        if (!TakeRegistration(address)) throw TooFast("too many registrations of this address; try again in a minute");
        await AllowAsync(aid, parameters, address, cancellationToken).ConfigureAwait(false);
        var identity = await identities.AddAsync(aid, spki, held: false, cancellationToken).ConfigureAwait(false)
            ?? throw new RpcFault(RpcFault.Failed, $"AID already exists: {aid}");
        return new JsonObject { ["aid"] = aid, ["cert"] = identity.Certificate, ["ca_cert"] = authority.ChainPem, ["curve"] = "P-256" };
    }

    /// <summary><c>auth.aid_login1</c>.</summary>
    public async ValueTask<JsonObject> Login1Async(JsonElement parameters, IPAddress? address, CancellationToken cancellationToken)
    {
        var aid = Params.Needed(parameters, "aid", 255);
        var clientNonce = Params.Needed(parameters, "client_nonce", 256);
        if (parameters.TryGetProperty("cert"u8, out var sent) && sent.ValueKind == JsonValueKind.String && sent.GetString()!.Length > Authority.MaxCertificateText)
            throw Refused(address, aid, "the certificate is too large");
        var certificate = Params.Text(parameters, "cert", Authority.MaxCertificateText);
        var identity = await FindAsync(aid, address, cancellationToken).ConfigureAwait(false);
        if (certificate is { Length: > 0 } && FaultOf(certificate, identity) is { } fault) throw Refused(address, aid, fault);
        var now = time.GetUtcNow();
        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(18));
        var until = (now + NonceTime).ToUnixTimeMilliseconds();
        var (gateway, signature) = authority.SignAsGateway(clientNonce);
        return new JsonObject
        {
            ["request_id"] = string.Create(CultureInfo.InvariantCulture, $"{until}.{SealOf(aid, nonce, until)}"),
            ["nonce"] = nonce,
            ["server_time"] = now.ToUnixTimeMilliseconds() / 1000d,
            ["auth_cert"] = gateway,
            ["auth_curve"] = "P-256",
            ["client_nonce_signature"] = signature,
        };
    }

    /// <summary><c>auth.aid_login2</c>.</summary>
    public async ValueTask<JsonObject> Login2Async(JsonElement parameters, IPAddress? address, CancellationToken cancellationToken)
    {
        var (identity, used) = await VerifyAsync(parameters, address, cancellationToken).ConfigureAwait(false);
        var (refresh, family) = tokens.BeginFamily(identity.Aid, used);
        await records.WriteAsync([used, family], cancellationToken).ConfigureAwait(false);
        if (used.Conflict) throw NonceRefused(address, identity.Aid);
        var (access, seconds) = tokens.MakeAccess(identity.Aid);
        var answer = new JsonObject { ["access_token"] = access, ["token"] = access, ["refresh_token"] = refresh, ["expires_in"] = seconds, ["aid"] = identity.Aid };
        if (await identities.RenewAsync(identity, cancellationToken).ConfigureAwait(false) is { } renewed) answer["new_cert"] = renewed.Certificate;
        return answer;
    }

    /// <summary>The second step inside of <c>auth.connect</c>: the method <c>aid</c>.</summary>
    public async ValueTask<IdentityRecord> ProveAsync(JsonElement auth, IPAddress? address, CancellationToken cancellationToken)
    {
        var (identity, used) = await VerifyAsync(auth, address, cancellationToken).ConfigureAwait(false);
        await records.WriteAsync(used, cancellationToken).ConfigureAwait(false);
        return used.Conflict ? throw NonceRefused(address, identity.Aid) : identity;
    }

    /// <summary><c>auth.refresh_token</c>: failures are results.</summary>
    public async ValueTask<JsonObject> RefreshAsync(JsonElement parameters, IPAddress? address, CancellationToken cancellationToken)
    {
        var token = Params.Needed(parameters, "refresh_token", 512);
        if (await tokens.RotateAsync(token, cancellationToken).ConfigureAwait(false) is not { } next)
        {
            attempts.Failed(Door.Listener, address, null, "a refresh token of AUN that isn't good");
            return RefreshFailed("the refresh token isn't good; log in again");
        }

        if (await identities.FindAsync(next.Aid, cancellationToken).ConfigureAwait(false) is not { RevokedAt: 0 }) return RefreshFailed("the identity was revoked");
        var (access, seconds) = tokens.MakeAccess(next.Aid);
        return new JsonObject { ["success"] = true, ["access_token"] = access, ["token"] = access, ["refresh_token"] = next.Token, ["expires_in"] = seconds };
    }

    /// <summary>Who shows an access token; an error when it isn't good.</summary>
    public async ValueTask<IdentityRecord> ShowTokenAsync(string token, IPAddress? address, CancellationToken cancellationToken)
    {
        if (tokens.ReadAccess(token) is not { } aid)
        {
            if (attempts.Check(address, null) is not null) throw TooFast("too many failed attempts; try again later");
            attempts.Failed(Door.Listener, address, null, "an access token of AUN that isn't good");
            throw new RpcFault(RpcFault.BadToken, "the token isn't good or has expired; log in again");
        }

        return await FindAsync(aid, address, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Who names a code that was made for an AID.</summary>
    public async ValueTask<IdentityRecord> ShowCodeAsync(JsonElement auth, IPAddress? address, CancellationToken cancellationToken)
    {
        var aid = Params.Needed(auth, "aid", 255, RpcFault.Validation);
        var code = Params.Text(auth, "code") ?? Params.Text(auth, "pairing_code") ?? Params.Needed(auth, "token", code: RpcFault.Validation);
        var identity = await FindAsync(aid, address, cancellationToken).ConfigureAwait(false);
        return await pairing.TakeAsync(aid, code, cancellationToken).ConfigureAwait(false) ? identity : throw Refused(address, aid, "the code isn't good");
    }

    private async ValueTask AllowAsync(string aid, JsonElement parameters, IPAddress? address, CancellationToken cancellationToken)
    {
        var mode = options.Registration ?? (address is null || IPAddress.IsLoopback(address) ? RegistrationMode.Open : RegistrationMode.Closed);
        if (mode == RegistrationMode.Open) return;
        if (mode == RegistrationMode.Invite)
        {
            var code = Params.Text(parameters, "pairing_code") ?? Params.Text(parameters, "invite") ?? Params.Text(parameters, "code");
            if (code is not null && await pairing.TakeAsync(aid, code, cancellationToken).ConfigureAwait(false)) return;
            throw new RpcFault(RpcFault.Forbidden, "an AID is registered here with a code that the operator makes: pairing_code");
        }

        throw new RpcFault(RpcFault.Forbidden, "this gateway takes no registrations");
    }

    private async ValueTask<IdentityRecord> FindAsync(string aid, IPAddress? address, CancellationToken cancellationToken)
    {
        var identity = await identities.FindAsync(aid, cancellationToken).ConfigureAwait(false);
        if (identity is null || identity.Held) throw Refused(address, aid, "there is no such AID here");
        return identity.RevokedAt == 0 ? identity : throw Refused(address, aid, "the certificate was revoked", RpcFault.Forbidden);
    }

    private string? FaultOf(string pem, IdentityRecord identity)
    {
        // The one that was given out here: its chain was sound then, and only time may have changed that.
        if (pem.AsSpan().Trim().SequenceEqual(identity.Certificate.AsSpan().Trim()))
            return IdentityBook.EndOf(identity) > time.GetUtcNow() ? null : "the certificate has expired; a login that doesn't show it gets a new one";
        X509Certificate2 certificate;
        try
        {
            certificate = X509Certificate2.CreateFromPem(pem);
        }
        catch (CryptographicException)
        {
            return "cert is no certificate in PEM";
        }

        using (certificate)
        {
            if (authority.Fault(certificate, identity.Aid) is { } fault) return fault;
            return certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(Convert.FromBase64String(identity.PublicKey))
                ? null
                : "the certificate is of another key than the AID's";
        }
    }

    private async ValueTask<(IdentityRecord Identity, RecordPut Used)> VerifyAsync(JsonElement parameters, IPAddress? address, CancellationToken cancellationToken)
    {
        var aid = Params.Needed(parameters, "aid", 255);
        var requestId = Params.Needed(parameters, "request_id", 256);
        var nonce = Params.Needed(parameters, "nonce", 256);
        var clientTime = ClientTime(parameters);
        var signature = Params.Needed(parameters, "signature", 512);
        var now = time.GetUtcNow();
        var dot = requestId.IndexOf('.', StringComparison.Ordinal);
        if (dot < 1 || !long.TryParse(requestId.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var until) || until <= now.ToUnixTimeMilliseconds()
            || !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(requestId[(dot + 1)..]), Encoding.UTF8.GetBytes(SealOf(aid, nonce, until))))
        {
            throw NonceRefused(address, aid);
        }

        var identity = await FindAsync(aid, address, cancellationToken).ConfigureAwait(false);
        if (!double.TryParse(clientTime, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) || !double.IsFinite(seconds)
            || Math.Abs(seconds - (now.ToUnixTimeMilliseconds() / 1000d)) > ClientSkew.TotalSeconds)
        {
            throw Refused(address, aid, "client_time is more than five minutes off; set the clock");
        }

        var key = _keys.GetOrAdd(identity.PublicKey, () =>
        {
            var read = ECDsa.Create();
            read.ImportSubjectPublicKeyInfo(Convert.FromBase64String(identity.PublicKey), out _);
            return read;
        });
        if (!P256.TryReadBase64(signature, 256, out var bytes) || !Verify(key, Encoding.UTF8.GetBytes($"{nonce}:{clientTime}"), bytes))
            throw Refused(address, aid, "the signature is wrong");
        return (identity, new RecordPut
        {
            Namespace = UsedNamespace,
            Key = nonce,
            Value = ReadOnlyMemory<byte>.Empty,
            ExpiresAt = until,
            ExpectedVersion = 0,
            At = now.ToUnixTimeMilliseconds(),
        });
    }

    private static bool Verify(ECDsa key, byte[] data, byte[] signature)
    {
        try
        {
            // Two logins of one AID may share it, and such a key is one thread's at a time.
            lock (key) return key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    // A text in the SDKs; a number is the same as it is written.
    private static string ClientTime(JsonElement parameters) => parameters.TryGetProperty("client_time"u8, out var value) && value.ValueKind == JsonValueKind.Number
        ? value.GetRawText()
        : Params.Needed(parameters, "client_time", 64);

    private string SealOf(string aid, string nonce, long until) => Base64Url.EncodeToString(
        HMACSHA256.HashData(_seal, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{aid}\n{nonce}\n{until}"))));

    private RpcFault NonceRefused(IPAddress? address, string aid) =>
        Refused(address, aid, "the login's nonce isn't good: it was used, is older than a minute, or is another AID's", RpcFault.BadNonce);

    private RpcFault Refused(IPAddress? address, string aid, string reason, int code = RpcFault.BadToken)
    {
        // Asked only when it is wrong: the right one is never refused for others' failures.
        var named = AidName.IsSound(aid) ? AunChannel.ChannelId + ":" + aid : null;
        var tooFast = attempts.Check(address, named) is not null;
        attempts.Failed(Door.Listener, address, named, "a login of AUN was refused");
        return tooFast ? TooFast("too many failed attempts; try again later") : new RpcFault(code, reason);
    }

    private static RpcFault TooFast(string message) => new(RpcFault.TooFast, message) { Details = new JsonObject { ["retryable"] = true } };

    private static JsonObject RefreshFailed(string reason) => new()
    {
        ["success"] = false,
        ["error"] = reason,
        ["relogin_required"] = true,
        ["retryable"] = false,
    };

    private bool TakeRegistration(IPAddress? address)
    {
        var who = address ?? IPAddress.Loopback;
        if (_registrations.Count > MostAddresses) _registrations.Clear();
        var perMinute = options.RegistrationsPerMinute * (IPAddress.IsLoopback(who) ? LoopbackFactor : 1);
        return _registrations.GetOrAdd(who, _ => new Bucket(perMinute, perMinute / 60d, time)).TryTake();
    }
}
