using ChannelBridge.Abstractions.Access;
using ChannelBridge.Channels.Bncr.Policy;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>
/// An account while the host runs: its clients, which of them is primary, and what was heard of it. Everything about leases is guarded by
/// <see cref="Gate"/>; counters and times are written without it.
/// </summary>
internal sealed class BncrAccount(string displayId, string key, AccountPolicy policy)
{
    private volatile BncrSession? _primary;

    public string DisplayId { get; } = displayId;

    /// <summary>The id in lower case.</summary>
    public string Key { get; } = key;

    public AccountPolicy Policy { get; } = policy;

    public Lock Gate { get; } = new();

    /// <summary>The clients by connection id.</summary>
    public Dictionary<string, BncrSession> Sessions { get; } = [];

    /// <summary>The one client that is pushed to.</summary>
    public BncrSession? Primary
    {
        get => _primary;
        set => _primary = value;
    }

    /// <summary>What the outbox was last told; behind <see cref="Primary"/> for a moment only.</summary>
    public BncrSession? Attached { get; set; }

    /// <summary>Whose the account stays until <see cref="HeldUntil"/> after its client was cut off.</summary>
    public Caller? Holder { get; set; }

    /// <summary>Unix milliseconds.</summary>
    public long HeldUntil { get; set; }

    /// <summary>True once the account's record is in the store.</summary>
    public bool Recorded { get; set; }

    public AccountStats Stats { get; } = new();

    /// <summary>How often clients have taken it from each other of late.</summary>
    public Takeovers Takeovers { get; } = new();

    public int ActiveConnections
    {
        get
        {
            lock (Gate) return Sessions.Count;
        }
    }
}
