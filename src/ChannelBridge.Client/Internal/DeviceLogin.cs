using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client.Devices;
using ChannelBridge.Protocol.OpenClaw;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Client.Internal;

/// <summary>
/// The credentials of one try to connect: which token goes along, the device's proof, and what is kept of the answer. A try has at most two connections:
/// the second one when the shared token is refused and the device's own may be shown instead.
/// </summary>
internal sealed partial class DeviceLogin(ChannelBridgeClientOptions options, Endpoint endpoint, ILogger logger)
{
    /// <summary>The role that the client asks for.</summary>
    public const string Role = "operator";

    private DeviceToken? _stored;
    private bool _usesStored;
    private bool _sharedRefused;

    /// <summary>Chooses the credentials and signs what is sent.</summary>
    /// <param name="connect">What is sent, without credentials.</param>
    /// <param name="shared">The shared token, or null.</param>
    /// <param name="challenge">The payload of the server's challenge.</param>
    /// <param name="cancellationToken">Ends the try.</param>
    public async Task<ConnectParams> PrepareAsync(ConnectParams connect, string? shared, ReadOnlyMemory<byte> challenge, CancellationToken cancellationToken)
    {
        if (options.Identity is not { } identity)
        {
            var plain = shared is not null ? new ConnectAuth { Token = shared } : options.DeviceToken is { } alone ? new ConnectAuth { DeviceToken = alone } : null;
            return connect with { Auth = plain };
        }

        var (nonce, signedAt) = ReadChallenge(challenge);
        try
        {
            _stored = await identity.ReadTokenAsync(Role, cancellationToken).ConfigureAwait(false);
            if (_sharedRefused) shared = null;
            var given = _sharedRefused ? null : options.DeviceToken;
            _usesStored = shared is null && given is null && _stored is not null;
            ConnectAuth? auth = null;
            if (shared is not null) auth = new ConnectAuth { Token = shared };
            else if ((given ?? _stored?.Token) is { } device) auth = new ConnectAuth { DeviceToken = device };
            // Nothing in particular was asked for: the stored token's approved scopes, all of them.
            if (_usesStored && connect.Scopes is not { Count: > 0 }) connect = connect with { Scopes = _stored!.Scopes };
            var proof = new DeviceProof
            {
                DeviceId = DeviceProof.IdOf(identity.PublicKey.Span),
                ClientId = connect.Client.Id,
                ClientMode = connect.Client.Mode,
                Role = Role,
                Scopes = connect.Scopes ?? [],
                SignedAt = signedAt,
                Token = DeviceProof.TokenOf(auth),
                Nonce = nonce,
                Platform = connect.Client.Platform,
                DeviceFamily = connect.Client.DeviceFamily,
            };
            var signature = await identity.SignAsync(proof.WritePayload(), cancellationToken).ConfigureAwait(false);
            return connect with
            {
                Auth = auth,
                Device = new ConnectDevice(proof.DeviceId, DeviceProof.Encode(identity.PublicKey.Span), DeviceProof.Encode(signature), signedAt, nonce),
            };
        }
        catch (Exception fault) when (fault is not OperationCanceledException and not ChannelBridgeClientException)
        {
            throw new ChannelBridgeClientException(ClientErrorCodes.IdentityUnusable, $"The device identity can't be used: {fault.Message}", fault);
        }
    }

    /// <summary>
    /// Keeps a token that was issued. One that can't be kept is told in the log: the connection is good without it, and the shared token or an operator
    /// (<c>device.token.rotate</c>) brings another.
    /// </summary>
    public async Task AcceptedAsync(HelloAuth auth, CancellationToken cancellationToken)
    {
        if (options.Identity is not { } identity || string.IsNullOrEmpty(auth.DeviceToken)) return;
        // The same token again keeps the scopes that were approved with it: this connection may have asked for fewer.
        if (auth.Role == Role && auth.DeviceToken == _stored?.Token) return;
        try
        {
            await identity.WriteTokenAsync(new DeviceToken(auth.Role, auth.DeviceToken, auth.Scopes), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogNotKept(fault, endpoint);
        }
    }

    /// <summary>Learns from a refusal. True: try once more, with the stored token.</summary>
    public async Task<bool> RefusedAsync(Exception fault, CancellationToken cancellationToken)
    {
        if (options.Identity is not { } identity || fault is not ChannelBridgeClientException refusal) return false;
        switch (WireErrors.Text(refusal.Details?["code"]))
        {
            case OpenClawNames.ConnectErrors.TokenMismatch when !_usesStored && !_sharedRefused && _stored is not null && MayShowStored():
                _sharedRefused = true;
                LogTriesStored(endpoint);
                return true;
            case OpenClawNames.ConnectErrors.DeviceTokenMismatch when _usesStored:
                try
                {
                    await identity.ForgetTokenAsync(_stored!, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception error) when (error is not OperationCanceledException)
                {
                    LogNotKept(error, endpoint);
                }

                return false;
            default:
                return false;
        }
    }

    /// <summary>Whoever answers must be the one that issued the token: this machine, or the holder of the pinned certificate.</summary>
    private bool MayShowStored()
    {
        var address = new Uri(endpoint.Address);
        return address.IsLoopback || (address.Scheme == "wss" && options.TlsFingerprint is not null);
    }

    private static (string Nonce, long SignedAt) ReadChallenge(ReadOnlyMemory<byte> challenge)
    {
        JsonNode? payload = null;
        try
        {
            payload = JsonNode.Parse(challenge.Span);
        }
        catch (JsonException)
        {
            // Said below.
        }

        if (payload is JsonObject members && WireErrors.Text(members["nonce"]) is { Length: > 0 } nonce
            && members["ts"] is JsonValue value && value.TryGetValue<long>(out var signedAt) && signedAt >= 0)
            return (nonce, signedAt);
        throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, "The host's challenge has no nonce or no ts, which a device must sign.");
    }

    [LoggerMessage(EventId = LogEvents.DeviceLoginNotKept, Level = LogLevel.Warning, Message = "The device token for {Endpoint} can't be written to its store")]
    private partial void LogNotKept(Exception fault, Endpoint endpoint);

    [LoggerMessage(EventId = LogEvents.DeviceLoginTriesStored, Level = LogLevel.Warning, Message = "{Endpoint} refused the shared token; trying the stored device token once")]
    private partial void LogTriesStored(Endpoint endpoint);
}
