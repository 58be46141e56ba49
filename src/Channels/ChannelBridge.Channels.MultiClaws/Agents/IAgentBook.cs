using System.Net;

namespace ChannelBridge.Channels.MultiClaws.Agents;

/// <summary>
/// The agents that this host may start sessions with: members of its teams, and those that the operator has added. The seam between the sessions, which call agents, and
/// the registry, which knows them and how they know us.
/// </summary>
internal interface IAgentBook
{
    /// <summary>Has something called after agents were added, changed or removed; on any thread, it must be quick and must not throw.</summary>
    void OnChange(Action changed);

    /// <summary>An agent by its address, compared as <see cref="AgentUrls.Normalise"/> writes it; null: it isn't registered, or the text is no address.</summary>
    ValueTask<AgentEntry?> FindAsync(string url, CancellationToken cancellationToken);

    /// <summary>All of them, the one seen last first.</summary>
    ValueTask<IReadOnlyList<AgentEntry>> ListAsync(CancellationToken cancellationToken);

    /// <summary>Adds an agent, or changes the one with the address. It isn't asked whether it is there.</summary>
    ValueTask<AgentEntry> AddAsync(string url, string? apiKey, CancellationToken cancellationToken);

    /// <summary>Removes an agent.</summary>
    /// <returns>False: there was none.</returns>
    ValueTask<bool> RemoveAsync(string url, CancellationToken cancellationToken);

    /// <summary>
    /// Shows an agent who asks: a signature to a member of a team, a bearer to an added agent, or nothing. Called for every request, right before it is sent; the body is
    /// in memory.
    /// </summary>
    ValueTask AuthorizeAsync(AgentEntry agent, HttpRequestMessage request, CancellationToken cancellationToken);

    /// <summary>True when the agent may be called at this address, which its name has just been resolved to.</summary>
    bool MayConnect(AgentEntry agent, IPAddress address);
}

/// <summary>An agent of another host.</summary>
internal sealed record AgentEntry
{
    /// <summary>Its address, normalised.</summary>
    public required string Url { get; init; }

    /// <summary>Its name; its address where it isn't known. What another host says of itself: shown, never obeyed.</summary>
    public required string Name { get; init; }

    /// <summary>What it can do, in its own words.</summary>
    public string Description { get; init; } = "";

    /// <summary>Its skills.</summary>
    public IReadOnlyList<string> Skills { get; init; } = [];

    /// <summary>True: it knows us by a key.</summary>
    public bool HasKey { get; init; }

    /// <summary>The teams that it is in with us.</summary>
    public IReadOnlyList<string> TeamIds { get; init; } = [];

    /// <summary>When it was added (Unix ms).</summary>
    public long AddedAtMs { get; init; }

    /// <summary>When it was last seen (Unix ms).</summary>
    public long LastSeenAtMs { get; init; }
}

/// <summary>Addresses of agents as they are compared.</summary>
internal static class AgentUrls
{
    /// <summary>The longest address.</summary>
    public const int MaxLength = 2048;

    /// <summary>An address without query, fragment and the slashes at its end, scheme and host in lower case; null: it is none.</summary>
    public static string? Normalise(string? text)
    {
        if (text is null || text.Length > MaxLength || !Uri.TryCreate(text.Trim(), UriKind.Absolute, out var url)) return null;
        if (url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0 || url.Host.Length == 0) return null;
        return url.GetLeftPart(UriPartial.Path).TrimEnd('/');
    }
}
