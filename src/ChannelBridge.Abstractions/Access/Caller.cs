namespace ChannelBridge.Abstractions.Access;

/// <summary>The door a caller came through. Policy and the choice of the agent depend on it.</summary>
public enum Door
{
    /// <summary>The host's own WebSocket listener.</summary>
    Listener,

    /// <summary>Unix socket, named pipe or stdio: the same user on the same machine.</summary>
    Local,

    /// <summary>A client of the OpenClaw gateway, vouched for by the authenticated link.</summary>
    Gateway,
}

/// <summary>Who is calling: the identity that one room (Core/Access) has established, immutable for the life of a connection.</summary>
/// <param name="Name">The name of the token that authenticated ("first", a configured name, "local"); never the token itself. Two callers
/// with the same name and door hold the same access token, which is what lease takeover asks for.</param>
/// <param name="Scopes">What the caller may do.</param>
/// <param name="Door">The door it came through.</param>
public sealed record Caller(string Name, Scopes Scopes, Door Door)
{
    /// <summary>The account ids (lower case) that the token is limited to; null means every account.</summary>
    public IReadOnlySet<string>? Accounts { get; init; }

    /// <summary>True when the caller may act for this account (compared without case).</summary>
    public bool MayUseAccount(string accountId) => Accounts is null || Accounts.Contains(accountId.ToLowerInvariant());
}
