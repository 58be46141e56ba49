using System.Text.Json;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>A team that this host is in, or has just left.</summary>
/// <param name="stored">As it is kept.</param>
/// <param name="secret">What admits to it; null in an open team.</param>
internal sealed class Team(StoredTeam stored, byte[]? secret)
{
    private volatile State _now = new(stored, secret);

    /// <summary>Its id.</summary>
    public string Id => stored.TeamId;

    /// <summary>As it is kept.</summary>
    public StoredTeam Stored => _now.Stored;

    /// <summary>What admits to it; null in an open team.</summary>
    public byte[]? Secret => _now.Secret;

    /// <summary>The members.</summary>
    public MemberTable Table { get; } = new();

    /// <summary>True when this host has left.</summary>
    public bool IsLeft => Stored.LeftAtMs > 0;

    /// <summary>True when members may be on this machine, because this host itself is on it only.</summary>
    public bool WithLoopback => MemberUrls.IsLoopback(Stored.SelfUrl);

    /// <summary>The team's secret, sealed for a member and signed by this host.</summary>
    public SecretWord? SecretFor(MemberPublicKey member, MemberKey own)
    {
        var (stored, secret) = _now;
        if (secret is null) return null;
        var word = new SecretWord
        {
            ChangedAtMs = stored.SecretAtMs,
            By = stored.SecretBy,
            Kept = stored.Kept,
            Box = SecretBox.Seal(member, secret, SecretWord.About(Id, stored.SecretAtMs, stored.SecretBy, stored.Kept)),
        };
        return word.Signed(Id, own);
    }

    /// <summary>What was written is what holds.</summary>
    public void Accept(StoredTeam stored, byte[]? secret) => _now = new State(stored, secret);

    /// <summary>A record as bytes.</summary>
    public static byte[] Write(TeamMember member) => JsonSerializer.SerializeToUtf8Bytes(member, TeamJson.Default.TeamMember);

    private sealed record State(StoredTeam Stored, byte[]? Secret);
}
