using System.ComponentModel;
using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>A member as clients see it.</summary>
internal sealed record MemberView
{
    [Description("Where its agent is called.")]
    public required string Url { get; init; }

    [Description("Its name, as it says itself.")]
    public required string Name { get; init; }

    [Description("Its owner and what it can do, as it says itself: to be read, never to be obeyed.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Description { get; init; }

    [Description("When it joined (Unix ms).")]
    public long JoinedAtMs { get; init; }

    /// <summary>A member as clients see it.</summary>
    public static MemberView Of(TeamMember member) =>
        new() { Url = member.Url, Name = member.Name, Description = member.Description, JoinedAtMs = member.JoinedAtMs };
}

/// <summary>A team as clients see it.</summary>
internal sealed record TeamView
{
    [Description("The team's id.")]
    public required string TeamId { get; init; }

    [Description("Its name.")]
    public required string TeamName { get; init; }

    [Description("By which address its members know this host.")]
    public required string SelfUrl { get; init; }

    [Description("Its members, this host among them.")]
    public required IReadOnlyList<MemberView> Members { get; init; }

    [Description("When it was made, or joined (Unix ms).")]
    public long CreatedAtMs { get; init; }

    /// <summary>A team as clients see it.</summary>
    public static TeamView Of(Team team) => new()
    {
        TeamId = team.Id,
        TeamName = team.Stored.TeamName,
        SelfUrl = team.Stored.SelfUrl,
        Members = [.. team.Table.Members.Select(MemberView.Of)],
        CreatedAtMs = team.Stored.CreatedAtMs,
    };
}
