namespace ChannelBridge.Abstractions.Hosting;

/// <summary>
/// One holder among the hosts of a store, by a name: whoever dials out, or waits for what only one may fetch, takes one. On a store for one host a claim is always held.
/// </summary>
public interface IHostClaims
{
    /// <summary>Begins to ask for a claim; it is asked for until it is given up, and asked for again when it is lost.</summary>
    /// <param name="name">What it is about, e.g. <c>instaclaw/main</c>; 1 to 200 characters.</param>
    IHostClaim Take(string name);
}

/// <summary>A claim that this host holds or waits for; disposing of it gives it up, so that another host has it at once.</summary>
public interface IHostClaim : IAsyncDisposable
{
    /// <summary>What it is about.</summary>
    string Name { get; }

    /// <summary>True while this host holds it.</summary>
    bool IsHeld { get; }

    /// <summary>
    /// Waits until this host holds the claim.
    /// </summary>
    /// <returns>Signalled when it is lost: a host that doesn't reach the store loses its claims before another one may have them.</returns>
    ValueTask<CancellationToken> HeldAsync(CancellationToken cancellationToken);
}
