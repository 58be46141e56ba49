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

    /// <summary>
    /// A channel fetched it itself: it dials out, or its endpoint was called. Nobody called the host, so there is no connection; who may speak is asked of the
    /// gateway where its agent answers and it has the channel, else the channel's own settings say.
    /// </summary>
    Channel,
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

    /// <summary>The channels (lower case) that the token is limited to; null means every channel.</summary>
    public IReadOnlySet<string>? Channels { get; init; }

    /// <summary>The platforms (lower case) that the token is limited to; null means every platform.</summary>
    public IReadOnlySet<string>? Platforms { get; init; }

    /// <summary>The methods that the token is limited to, <c>bncr.*</c> for all that begin so; null means every method that its scopes allow.</summary>
    public IReadOnlySet<string>? Methods { get; init; }

    /// <summary>The device that the caller has proven to be (the SHA-256 of its key, hex); null for a caller without one.</summary>
    public string? DeviceId { get; init; }

    /// <summary>Signalled when the token that the caller showed holds no more: connections and streams end then. Never signalled for tokens of the settings.</summary>
    public CancellationToken Revoked { get; init; }

    /// <summary>True when the token is limited to accounts, channels or platforms: what shows the whole host isn't for it.</summary>
    public bool IsLimited => Accounts is not null || Channels is not null || Platforms is not null;

    /// <summary>True when the caller may use this channel (compared without case).</summary>
    public bool MayUseChannel(string channelId) => Channels is null || Channels.Contains(channelId.ToLowerInvariant());

    /// <summary>True when the caller may act for this platform (compared without case).</summary>
    public bool MayUsePlatform(string platform) => Platforms is null || Platforms.Contains(platform.ToLowerInvariant());

    /// <summary>True when the token isn't limited to other methods than this one. Its scope is another matter.</summary>
    public bool MayCall(string method)
    {
        if (Methods is null || Methods.Contains(method)) return true;
        for (var dot = method.LastIndexOf('.'); dot > 0; dot = method.LastIndexOf('.', dot - 1))
        {
            if (Methods.Contains(string.Concat(method.AsSpan(0, dot), ".*"))) return true;
        }

        return false;
    }

    /// <summary>True when the caller may act for this account (compared without case).</summary>
    public bool MayUseAccount(string accountId) => Accounts is null || Accounts.Contains(accountId.ToLowerInvariant());
}
