using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>A team as it is kept; its members are records of their own.</summary>
internal sealed record StoredTeam
{
    public required string TeamId { get; init; }

    public required string TeamName { get; init; }

    /// <summary>By which address its members know this host.</summary>
    public required string SelfUrl { get; init; }

    public long CreatedAtMs { get; init; }

    /// <summary>True: it asks for no proof and takes nodes without keys.</summary>
    public bool Open { get; init; }

    /// <summary>What admits to it, sealed with the host's key; null in an open team.</summary>
    public byte[]? SealedSecret { get; init; }

    /// <summary>When the secret was made (Unix ms): the later one holds.</summary>
    public long SecretAtMs { get; init; }

    /// <summary>Who made it.</summary>
    public string SecretBy { get; init; } = "";

    /// <summary>The ids of those who were members where that secret was made: they needn't show that they have it.</summary>
    public IReadOnlyList<string> Kept { get; init; } = [];

    /// <summary>Whom this host itself has let in by that secret, and when (Unix ms): they aren't shut out by a rotation that came later and didn't know of them.</summary>
    public IReadOnlyDictionary<string, long> Taken { get; init; } = new Dictionary<string, long>();

    /// <summary>When this host left; the others are still being told. 0: it hasn't.</summary>
    public long LeftAtMs { get; init; }
}

/// <summary>This host's key as it is kept.</summary>
internal sealed record StoredKey
{
    public required byte[] SealedKey { get; init; }
}

/// <summary>The team and its members, as <c>GET /team/{id}/members</c> tells them.</summary>
internal sealed record MembersAnswer
{
    public MembersOfTeam? Team { get; init; }

    /// <summary>The team's secret for who asks, sealed to its key.</summary>
    public SecretWord? Secret { get; init; }
}

/// <summary>Name and members.</summary>
internal sealed record MembersOfTeam
{
    public string? TeamName { get; init; }

    public IReadOnlyList<TeamMember>? Members { get; init; }

    /// <summary>When the secret that holds was made (Unix ms), so that who joins by it can say which one it has.</summary>
    public long SecretAtMs { get; init; }

    /// <summary>Who made it.</summary>
    public string? SecretBy { get; init; }

    /// <summary>The ids of those who stayed when it was made.</summary>
    public IReadOnlyList<string>? Kept { get; init; }
}

/// <summary>A team's secret on its way to one member.</summary>
internal sealed record SecretWord
{
    public long ChangedAtMs { get; init; }

    public string? By { get; init; }

    public string? Box { get; init; }

    /// <summary>The ids of those who stay members; all others need to show that they have this secret.</summary>
    public IReadOnlyList<string>? Kept { get; init; }

    /// <summary>The signature of the member that tells it: an answer over plain HTTP could be anybody's.</summary>
    public string? Sign { get; init; }

    /// <summary>The same, signed by the member that tells it.</summary>
    public SecretWord Signed(string teamId, MemberKey key) => this with { Sign = Base64.Write(key.Sign(Bytes(teamId))) };

    /// <summary>True when a member has signed it.</summary>
    public bool IsOf(MemberPublicKey member, string teamId) => Base64.ReadExactly(Sign, 64) is { } signature && member.Verify(Bytes(teamId), signature);

    // The box says nothing of who sealed it: anybody can seal for a public key.
    private byte[] Bytes(string teamId) => [.. About(teamId, ChangedAtMs, By ?? "", Kept), .. Canonical.Of(Box ?? "")];

    /// <summary>What a box is about.</summary>
    public static byte[] About(string teamId, long changedAtMs, string by, IReadOnlyList<string>? kept) => Canonical.Of(
        "multiclaws-secret-1", teamId, changedAtMs.ToString(System.Globalization.CultureInfo.InvariantCulture), by, string.Join(' ', kept ?? []));

    /// <summary>True when the ids could be those of members.</summary>
    public static bool IsPlain(IReadOnlyList<string>? kept) => kept is null || (kept.Count <= MemberTable.MostMembers && kept.All(static id => id is { Length: <= 128 }));

    /// <summary>True when a secret holds and not the other one.</summary>
    public static bool IsLater(long at, string by, long otherAt, string otherBy) => at != otherAt ? at > otherAt : string.CompareOrdinal(by, otherBy) < 0;
}

/// <summary>Several records at once.</summary>
internal sealed record AnnounceBatch
{
    public IReadOnlyList<TeamMember>? Members { get; init; }
}

/// <summary>It is done.</summary>
internal sealed record DoneAnswer(bool Ok = true);

/// <summary>It isn't.</summary>
internal sealed record FaultAnswer(string? Error);

/// <summary>Serialization of what is kept and what travels.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowDuplicateProperties = false, MaxDepth = 8)]
[JsonSerializable(typeof(StoredTeam))]
[JsonSerializable(typeof(StoredKey))]
[JsonSerializable(typeof(TeamMember))]
[JsonSerializable(typeof(MembersAnswer))]
[JsonSerializable(typeof(SecretWord))]
[JsonSerializable(typeof(AnnounceBatch))]
[JsonSerializable(typeof(DoneAnswer))]
[JsonSerializable(typeof(FaultAnswer))]
internal sealed partial class TeamJson : JsonSerializerContext;
