using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>Makes an identity known to its gateway, and gets tokens for it. Each step has a connection of its own, as the SDKs do it.</summary>
internal sealed class GatewayLogin(
    Uri gateway, PkiTrust trust, ServerTrust tls, GatewayHttp http, IDialer dialer, AunConnectorOptions options, TimeProvider time)
{
    private static readonly TimeSpan ChainKept = TimeSpan.FromHours(1);
    private (string Pem, long At)? _chain;

    /// <summary>Registers a name with the key that is on disk already; gives its certificate.</summary>
    /// <exception cref="AunCallException">The gateway refuses, or what it gave isn't to be trusted.</exception>
    public async Task<string> CreateAsync(string aid, ECDsa key, CancellationToken cancellationToken)
    {
        string? pem;
        try
        {
            var answer = await CallAsync(
                "auth.create_aid",
                writer =>
                {
                    writer.WriteString("aid"u8, aid);
                    writer.WriteString("public_key"u8, Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()));
                    writer.WriteString("curve"u8, "P-256");
                },
                cancellationToken).ConfigureAwait(false);
            pem = Wire.Text(answer, "cert");
        }
        catch (AunCallException fault) when (fault.Message.Contains("already exists", StringComparison.OrdinalIgnoreCase))
        {
            // Perhaps by ourselves, and the answer was lost in a crash: then the certificate is of our key.
            pem = await http.GetAsync(GatewayAddress.Http(gateway, $"/pki/cert/{aid}"), cancellationToken).ConfigureAwait(false);
            if (pem is null || !IdentityFolder.Fits(pem, key))
                throw AunCallException.Make(
                    AunErrorClass.Permission, fault.GatewayCode,
                    $"{aid} already exists, and with another key than this folder's: choose another name, or bring its key here");
        }

        if (pem is null) throw AunCallException.Make(AunErrorClass.Server, 0, "the gateway gave no certificate");
        using var certificate = trust.Verify(pem, await ChainAsync(cancellationToken).ConfigureAwait(false), aid);
        return IdentityFolder.Fits(pem, key) ? pem : throw PkiTrust.Refused("the gateway gave a certificate of another key");
    }

    /// <summary>Logs in: the gateway proves who it is, then the identity does.</summary>
    /// <exception cref="AunCallException">One of them fails.</exception>
    public async Task<AunTokens> LoginAsync(IdentityKeys keys, string certificate, CancellationToken cancellationToken)
    {
        var own = Convert.ToBase64String(RandomNumberGenerator.GetBytes(12));
        var first = await CallAsync(
            "auth.aid_login1",
            writer =>
            {
                writer.WriteString("aid"u8, keys.Aid);
                writer.WriteString("cert"u8, certificate);
                writer.WriteString("client_nonce"u8, own);
            },
            cancellationToken).ConfigureAwait(false);
        if (Wire.Text(first, "request_id") is not { } request || Wire.Text(first, "nonce") is not { } nonce)
            throw AunCallException.Make(AunErrorClass.Auth, 0, $"the gateway refused the login: {AunCallException.Clean(Wire.Text(first, "error") ?? "no request_id and nonce")}");
        await VerifyGatewayAsync(first, own, cancellationToken).ConfigureAwait(false);
        var now = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var second = await CallAsync(
            "auth.aid_login2",
            writer =>
            {
                writer.WriteString("aid"u8, keys.Aid);
                writer.WriteString("request_id"u8, request);
                writer.WriteString("nonce"u8, nonce);
                writer.WriteString("client_time"u8, now);
                writer.WriteString("signature"u8, keys.SignText($"{nonce}:{now}"));
            },
            cancellationToken).ConfigureAwait(false);
        return TokensOf(second) ?? throw AunCallException.Make(
            AunErrorClass.Auth, 0, $"the gateway refused the login: {AunCallException.Clean(Wire.Text(second, "error") ?? "no access_token")}");
    }

    /// <summary>The next pair of tokens; null when the gateway wants a new login.</summary>
    public async Task<AunTokens?> RefreshAsync(string refresh, CancellationToken cancellationToken) => TokensOf(
        await CallAsync("auth.refresh_token", writer => writer.WriteString("refresh_token"u8, refresh), cancellationToken).ConfigureAwait(false));

    /// <summary>The certificates between others' and the root.</summary>
    public async Task<string> ChainAsync(CancellationToken cancellationToken)
    {
        // Asked for again now and then: an issuer is renewed before its end.
        if (_chain is { } known && time.GetElapsedTime(known.At) < ChainKept) return known.Pem;
        var pem = await http.GetAsync(GatewayAddress.Http(gateway, "/pki/chain"), cancellationToken).ConfigureAwait(false) ?? "";
        _chain = (pem, time.GetTimestamp());
        return pem;
    }

    private async Task VerifyGatewayAsync(JsonElement answer, string nonce, CancellationToken cancellationToken)
    {
        if (Wire.Text(answer, "auth_cert") is not { } pem) throw PkiTrust.Refused("the gateway has shown none of its own");
        using var certificate = trust.Verify(pem, await ChainAsync(cancellationToken).ConfigureAwait(false), null);
        if (!P256.TryReadBase64(Wire.Text(answer, "client_nonce_signature"), 128, out var signature)
            || !new PeerIdentity("", certificate).Verify(Encoding.UTF8.GetBytes(nonce), signature))
            throw PkiTrust.Refused("the gateway's signature of our nonce is wrong: it doesn't have the key of the certificate that it shows");
    }

    private AunTokens? TokensOf(JsonElement answer)
    {
        if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("success"u8, out var success) && success.ValueKind == JsonValueKind.False) return null;
        if ((Wire.Text(answer, "access_token") ?? Wire.Text(answer, "token")) is not { } access) return null;
        var seconds = Wire.Whole(answer, "expires_in") is > 0 and <= 10_000_000 and var given ? given : 3600;
        return new AunTokens(access, Wire.Text(answer, "refresh_token"), time.GetUtcNow().ToUnixTimeMilliseconds() + (seconds * 1000), gateway.ToString());
    }

    private async Task<JsonElement> CallAsync(string method, Action<Utf8JsonWriter> parameters, CancellationToken cancellationToken)
    {
        var socket = await GatewaySocket.OpenAsync(dialer, gateway, tls, options, null, time, cancellationToken).ConfigureAwait(false);
        await using (socket.ConfigureAwait(false))
        {
            var answer = await socket.CallAsync(method, parameters, options.CallTimeout, cancellationToken).ConfigureAwait(false);
            await socket.CloseAsync().ConfigureAwait(false);
            return answer;
        }
    }
}
