using System.Text.Json;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>Reads what other hosts send about members.</summary>
internal static class TeamWords
{
    /// <summary>The most records in one body: members, and those who have left.</summary>
    private const int MostRecords = MemberTable.MostMembers + MemberTable.MostLeft;

    /// <summary>The records that can be taken; the rest is as if it hadn't been said.</summary>
    public static IReadOnlyList<TeamMember> Usable(Team team, IReadOnlyList<TeamMember>? members, DateTimeOffset now) =>
    [
        .. (members ?? []).Take(MostRecords).OfType<TeamMember>().Select(member => Plain(member, now)).Where(member => FaultOf(team, member, now) is null)
            .DistinctBy(static member => member.Id),
    ];

    /// <summary>Reads a body with one record, or several as <c>{"members":[…]}</c>.</summary>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c>: it makes no sense, or one of them can't be taken; the message names the member at fault.</exception>
    public static IReadOnlyList<TeamMember> Read(Team team, ReadOnlySpan<byte> body, bool left, DateTimeOffset now)
    {
        IReadOnlyList<TeamMember> members;
        try
        {
            members = JsonSerializer.Deserialize(body, TeamJson.Default.AnnounceBatch)?.Members is { } several
                ? several
                : JsonSerializer.Deserialize(body, TeamJson.Default.TeamMember) is { } only ? [only] : [];
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "the body is no member: url, name and joinedAtMs are needed", fault);
        }

        if (members.Count is 0 or > MostRecords) throw BridgeException.Invalid($"a body has 1 to {MostRecords} members");
        var read = new List<TeamMember>(members.Count);
        foreach (var member in members)
        {
            if (member is null) throw BridgeException.Invalid("a member is null");
            var plain = Plain(left && member.Key is null ? member with { Left = true } : member, now);
            if (FaultOf(team, plain, now) is { } fault) throw BridgeException.Invalid($"{Shown(plain.Url)}: {fault}");
            if (left && !plain.Left) throw BridgeException.Invalid($"{Shown(plain.Url)}: left isn't true");
            read.Add(plain);
        }

        return read;
    }

    /// <summary>What is wrong with a record in a team; null: nothing.</summary>
    public static string? FaultOf(Team team, TeamMember member, DateTimeOffset now) => member.Fault(team.Id, team.Stored.Open, team.WithLoopback, now);

    // Nodes without keys write neither when it changed nor addresses as we do.
    private static TeamMember Plain(TeamMember member, DateTimeOffset now)
    {
        if (member.Key is not null) return member;
        var at = now.ToUnixTimeMilliseconds();
        return member with
        {
            Url = MemberUrls.Normalise(member.Url) ?? member.Url,
            Name = member.Name is { Length: > TeamMember.MaxName } name ? name[..TeamMember.MaxName] : member.Name ?? "",
            JoinedAtMs = member.JoinedAtMs is > 0 and var joined && joined <= at ? joined : at,
            ChangedAtMs = member.ChangedAtMs > 0 ? member.ChangedAtMs : member.Left ? at : Math.Min(member.JoinedAtMs > 0 ? member.JoinedAtMs : at, at),
        };
    }

    private static string Shown(string? url) => url is { Length: > 0 } ? new string([.. url.Take(200).Where(static c => !char.IsControl(c))]) : "a member";
}
