using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>Decides about one request by the channel's own rules, before its body is read.</summary>
/// <param name="request">The request without its body.</param>
/// <param name="cancellationToken">The client has left or the host stops.</param>
public delegate ValueTask<AccessVerdict> AccessCheck(EndpointRequest request, CancellationToken cancellationToken);

/// <summary>Who is let in at an endpoint. The door checks it before it reads the body.</summary>
public sealed class EndpointAccess
{
    private EndpointAccess(Scopes scope, AccessCheck? check)
    {
        Needed = scope;
        Check = check;
    }

    /// <summary>Everybody. The exchange has no caller, and a socket has the bounds before authentication until it is told who that is.</summary>
    public static EndpointAccess Anonymous { get; } = new(Scopes.None, null);

    /// <summary>The scope that a bearer token must have; <see cref="Scopes.None"/> where none is asked for.</summary>
    public Scopes Needed { get; }

    /// <summary>The channel's own check, or null.</summary>
    public AccessCheck? Check { get; }

    /// <summary>True when everybody is let in.</summary>
    public bool IsAnonymous => Needed == Scopes.None && Check is null;

    /// <summary>A token of the host (<c>Authorization: Bearer …</c>) with this scope that may use the channel.</summary>
    public static EndpointAccess Scope(Scopes scope)
    {
        if (scope == Scopes.None) throw new ArgumentException("A scope is needed; for everybody take Anonymous.", nameof(scope));
        return new EndpointAccess(scope, null);
    }

    /// <summary>The channel's own check: a signature, a token of its own, a client's certificate behind a proxy.</summary>
    public static EndpointAccess ByChannel(AccessCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        return new EndpointAccess(Scopes.None, check);
    }
}
