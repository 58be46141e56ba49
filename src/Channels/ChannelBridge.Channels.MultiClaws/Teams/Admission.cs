using System.Security.Cryptography;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// Who belongs to a team with the secret that holds now: those who show in their record that they have it, and those who were members where it was made. So a code from
/// before a rotation brings nobody in for long: whom a member took that hadn't heard of the rotation yet is gone again when it has, and is passed on to nobody who has.
/// </summary>
internal static class Admission
{
    /// <summary>The same record with the proof that its maker has the team's secret; not signed yet.</summary>
    public static TeamMember Admit(TeamMember member, string teamId, MemberPublicKey key, byte[]? secret, long secretAtMs) =>
        secret is null ? member : member with { AdmittedAtMs = secretAtMs, Admitted = ProofOf(secret, teamId, key.Id) };

    /// <summary>True when a record brings somebody in who isn't a member.</summary>
    /// <param name="stored">The team.</param>
    /// <param name="secret">Its secret; null: an open team, which takes everybody.</param>
    /// <param name="member">The record.</param>
    /// <remarks>A secret that is later than ours can't be looked at yet; when it is here, everybody is looked at again.</remarks>
    public static bool Admits(StoredTeam stored, byte[]? secret, TeamMember member) =>
        secret is null || stored.Kept.Contains(member.Id) || HasSecret(stored.TeamId, secret, member) || (member.Admitted is not null && member.AdmittedAtMs > stored.SecretAtMs);

    private static bool HasSecret(string teamId, byte[] secret, TeamMember member) => Base64.ReadExactly(member.Admitted, SHA256.HashSizeInBytes) is { } proof
        && CryptographicOperations.FixedTimeEquals(proof, Base64.ReadExactly(ProofOf(secret, teamId, member.Id), SHA256.HashSizeInBytes));

    private static string ProofOf(byte[] secret, string teamId, string memberId) =>
        Base64.Write(HMACSHA256.HashData(secret, Canonical.Of("multiclaws-admitted-1", teamId, memberId)));
}
