namespace ChannelBridge.Storage.Postgres.Claims;

/// <summary>A lane whose turns are this host's. Its own lock guards it.</summary>
internal sealed class HeldLane(long claim, long since)
{
    public long Claim { get; } = claim;

    /// <summary>True while somebody works on it.</summary>
    public bool Busy { get; set; }

    /// <summary>A time stamp: since when nobody has.</summary>
    public long IdleSince { get; set; } = since;

    /// <summary>It is being given back: nobody may take it up any more.</summary>
    public bool Gone { get; set; }
}

/// <summary>An account that this host wants to push to, or does.</summary>
internal sealed class PushWish
{
    public long Rank { get; set; }

    public string? Holder { get; set; }

    public bool Wanted { get; set; }

    /// <summary>Something about it is to be written.</summary>
    public bool Dirty { get; set; }

    /// <summary>Another host has it now.</summary>
    public bool Refused { get; set; }

    /// <summary>0 while it isn't held.</summary>
    public long Claim { get; set; }
}

/// <summary>This host's registration.</summary>
/// <param name="Host">Its number; a new one with each registration.</param>
/// <param name="ValidUntil">
/// A time stamp of this process's own clock: counted from before the renewal was sent, so that it never ends later than what the server noted.
/// </param>
internal sealed record HostLease(long Host, long ValidUntil);
