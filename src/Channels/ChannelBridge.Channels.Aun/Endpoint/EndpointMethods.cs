using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary><c>aun.identities.*</c>: for operators of this host.</summary>
internal sealed class EndpointMethods(Func<IdentityBook?> identities, Func<PairingDesk?> pairing)
{
    private const int MostListed = 1000;

    /// <summary>The methods.</summary>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create("aun.identities.list", Scopes.Read, "Lists the AIDs that are registered at this host's AUN endpoint.", EndpointMethodJson.Default.IdentityListParams,
            EndpointMethodJson.Default.IdentityListResult, ListAsync),
        RpcMethod.Create("aun.identities.revoke", Scopes.Admin, "Revokes an AID's certificate; its logins end and its connections are closed.",
            EndpointMethodJson.Default.IdentityParams, EndpointMethodJson.Default.IdentityRevokedResult, RevokeAsync),
        RpcMethod.Create("aun.identities.pair", Scopes.Admin, "Makes a code with which an AID may connect, or be registered, once within ten minutes.",
            EndpointMethodJson.Default.IdentityParams, EndpointMethodJson.Default.PairingResult, PairAsync),
    ];

    private IdentityBook Book => identities() ?? throw Off();

    private async ValueTask<IdentityListResult> ListAsync(IdentityListParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var all = await Book.ListAsync(parameters.After, Math.Clamp(parameters.Limit ?? MostListed, 1, MostListed), cancellationToken).ConfigureAwait(false);
        return new IdentityListResult([.. all.Select(static one => new IdentityView(one.Aid, one.CreatedAt, one.RevokedAt > 0 ? one.RevokedAt : null, one.Held, one.Serial))]);
    }

    private async ValueTask<IdentityRevokedResult> RevokeAsync(IdentityParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (await Book.FindAsync(parameters.Aid, cancellationToken).ConfigureAwait(false) is { Held: true })
            throw BridgeException.Invalid("it is an agent of this host; take it out of Channels:Aun:Agents");
        if (!await Book.RevokeAsync(parameters.Aid, cancellationToken).ConfigureAwait(false)) throw new BridgeException(ErrorCodes.NotFound, "there is no such AID");
        return new IdentityRevokedResult(parameters.Aid, true);
    }

    private async ValueTask<PairingResult> PairAsync(IdentityParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (!AidName.IsSound(parameters.Aid)) throw BridgeException.Invalid("that can't be an AID; an example is alice.agentid.pub");
        var desk = pairing() ?? throw Off();
        var (code, until) = await desk.MakeAsync(parameters.Aid, cancellationToken).ConfigureAwait(false);
        return new PairingResult(parameters.Aid, code, until);
    }

    private static BridgeException Off() => new(ErrorCodes.Unavailable, "the AUN endpoint is off; name an issuer: Channels:Aun:Issuers");
}

/// <summary>A page of identities.</summary>
/// <param name="After">Behind this AID, or absent.</param>
/// <param name="Limit">At most so many, 1 to 1000.</param>
internal sealed record IdentityListParams(string? After = null, int? Limit = null);

/// <summary>Identities.</summary>
/// <param name="Identities">By name.</param>
internal sealed record IdentityListResult(IReadOnlyList<IdentityView> Identities);

/// <summary>An identity.</summary>
/// <param name="Aid">Its AID.</param>
/// <param name="CreatedAt">When it was registered (Unix ms).</param>
/// <param name="RevokedAt">When it was revoked (Unix ms), or null.</param>
/// <param name="IsAgent">True: it is an agent of this host.</param>
/// <param name="Serial">Its certificate's serial number.</param>
internal sealed record IdentityView(string Aid, long CreatedAt, long? RevokedAt, bool IsAgent, string Serial);

/// <summary>Which identity.</summary>
/// <param name="Aid">Its AID.</param>
internal sealed record IdentityParams(string Aid);

/// <summary>An identity that was revoked.</summary>
/// <param name="Aid">Its AID.</param>
/// <param name="Revoked">True.</param>
internal sealed record IdentityRevokedResult(string Aid, bool Revoked);

/// <summary>A code.</summary>
/// <param name="Aid">For whom.</param>
/// <param name="Code">The code, told this once.</param>
/// <param name="ExpiresAt">Until when it is good (Unix ms).</param>
internal sealed record PairingResult(string Aid, string Code, long ExpiresAt)
{
    /// <inheritdoc/>
    public override string ToString() => Aid;
}

/// <summary>The methods' records as JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(IdentityListParams))]
[JsonSerializable(typeof(IdentityListResult))]
[JsonSerializable(typeof(IdentityParams))]
[JsonSerializable(typeof(IdentityRevokedResult))]
[JsonSerializable(typeof(PairingResult))]
internal sealed partial class EndpointMethodJson : JsonSerializerContext;
