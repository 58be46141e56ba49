using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Core.Access;

/// <summary><c>access.tokens.list|add|rotate|revoke|audit</c>.</summary>
internal sealed class TokenMethods(ITokenStore tokens, AccessAudit audit) : IMethodSource
{
    private const int MostLines = 1000;

    /// <inheritdoc/>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "access.tokens.list", Scopes.Admin, "Lists the access tokens, never their secrets.", AccessJson.Default.TokenListParameters,
            AccessJson.Default.TokenListResult, ListAsync),
        RpcMethod.Create(
            "access.tokens.add", Scopes.Admin, "Makes an access token; the answer tells its secret, this once.",
            AccessJson.Default.TokenAddParameters, AccessJson.Default.TokenMadeResult, AddAsync),
        RpcMethod.Create(
            "access.tokens.rotate", Scopes.Admin, "Gives a token another secret; the former one holds for 10 minutes, or as long as graceSeconds says.",
            AccessJson.Default.TokenRotateParameters, AccessJson.Default.TokenMadeResult, RotateAsync),
        RpcMethod.Create(
            "access.tokens.revoke", Scopes.Admin, "Ends a token; what was opened with it is closed within a second, on every host.",
            AccessJson.Default.TokenRevokeParameters, AccessJson.Default.TokenRevokeResult, RevokeAsync),
        RpcMethod.Create(
            "access.tokens.audit", Scopes.Admin, "Attempts that were refused, and tokens made, rotated and revoked; the newest first.",
            AccessJson.Default.TokenAuditParameters, AccessJson.Default.TokenAuditResult, AuditAsync),
    ];

    private async ValueTask<TokenListResult> ListAsync(TokenListParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckCaller(call.Caller);
        return new TokenListResult([.. (await tokens.ListAsync(cancellationToken).ConfigureAwait(false)).Select(TokenView.Of)]);
    }

    private async ValueTask<TokenMadeResult> AddAsync(TokenAddParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckCaller(call.Caller);
        var scopes = Scopes.None;
        foreach (var name in parameters.Scopes)
        {
            var scope = ScopeNames.Parse(name);
            if (scope == Scopes.None) throw BridgeException.Invalid("scopes are some of operator.read, operator.write, operator.admin, link and peer");
            scopes |= scope;
        }

        // Nobody gives what he hasn't got; admin has no part of the link's role.
        if (scopes.HasFlag(Scopes.Link) && !call.Caller.Scopes.HasFlag(Scopes.Link))
            throw new BridgeException(ErrorCodes.Forbidden, "only a token with the scope link can make another one");
        var made = await tokens.AddAsync(
            new TokenGrant
            {
                Name = parameters.Name,
                Scopes = scopes,
                Channels = parameters.Channels,
                Accounts = parameters.Accounts,
                Platforms = parameters.Platforms,
                Methods = parameters.Methods,
                ExpiresAt = parameters.ExpiresAt,
            },
            call.Caller.Name,
            cancellationToken).ConfigureAwait(false);
        return new TokenMadeResult(TokenView.Of(made.Info), made.Secret);
    }

    private async ValueTask<TokenMadeResult> RotateAsync(TokenRotateParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckCaller(call.Caller);
        await CheckRoleAsync(parameters.Name, call.Caller, cancellationToken).ConfigureAwait(false);
        TimeSpan? grace = parameters.GraceSeconds is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, -1, int.MaxValue)) : null;
        var made = await tokens.RotateAsync(parameters.Name, grace, call.Caller.Name, cancellationToken).ConfigureAwait(false);
        return new TokenMadeResult(TokenView.Of(made.Info), made.Secret);
    }

    private async ValueTask<TokenRevokeResult> RevokeAsync(TokenRevokeParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckCaller(call.Caller);
        await tokens.RevokeAsync(parameters.Name, call.Caller.Name, cancellationToken).ConfigureAwait(false);
        return new TokenRevokeResult(true);
    }

    private async ValueTask<TokenAuditResult> AuditAsync(TokenAuditParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckCaller(call.Caller);
        var limit = parameters.Limit ?? 100;
        if (limit is < 1 or > MostLines) throw BridgeException.Invalid($"limit is 1 to {MostLines}");
        var lines = await audit.ReadAsync(limit, cancellationToken).ConfigureAwait(false);
        return new TokenAuditResult([.. lines.Select(line => new TokenAuditView(line.At, line.Action, line.By, line.Name, line.Door, line.Reason))]);
    }

    // A secret of the link is as good as its role.
    private async ValueTask CheckRoleAsync(string name, Caller caller, CancellationToken cancellationToken)
    {
        if (caller.Scopes.HasFlag(Scopes.Link)) return;
        var all = await tokens.ListAsync(cancellationToken).ConfigureAwait(false);
        if (all.Any(token => string.Equals(token.Grant.Name, name, StringComparison.OrdinalIgnoreCase) && token.Grant.Scopes.HasFlag(Scopes.Link)))
            throw new BridgeException(ErrorCodes.Forbidden, "only a token with the scope link can rotate another one");
    }

    // Whoever is limited himself could make a token that isn't.
    private static void CheckCaller(Caller caller)
    {
        if (caller.Accounts is not null || caller.Channels is not null || caller.Platforms is not null || caller.Methods is not null)
            throw new BridgeException(ErrorCodes.Forbidden, "a token that is limited to accounts, channels, platforms or methods can't manage tokens");
    }
}
