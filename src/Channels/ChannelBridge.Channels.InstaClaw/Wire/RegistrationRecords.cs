using System.Text.Json.Serialization;
using ChannelBridge.Channels.InstaClaw.Registration;

namespace ChannelBridge.Channels.InstaClaw.Wire;

/// <summary><c>instaclaw.registration.get</c> and the tool for the profile.</summary>
internal sealed record AccountParams
{
    public string? AccountId { get; set; }
}

/// <summary><c>instaclaw.registration.submit</c>: the form. What it leaves open comes from the proposal.</summary>
internal sealed record SubmitParams
{
    public string? AccountId { get; set; }

    public string? ProposalId { get; set; }

    [JsonPropertyName("name")]
    public string? Name { get; set; }

    [JsonPropertyName("description")]
    public string? Description { get; set; }

    [JsonPropertyName("avatar")]
    public string? Avatar { get; set; }

    /// <summary>The form's word for <see cref="CustomTags"/>.</summary>
    [JsonPropertyName("tags")]
    public IReadOnlyList<string>? Tags { get; set; }

    /// <summary>The form's word for <see cref="InstanceType"/>.</summary>
    [JsonPropertyName("type")]
    public string? Type { get; set; }

    [JsonPropertyName("scene_tags")]
    public IReadOnlyList<string>? SceneTags { get; set; }

    [JsonPropertyName("custom_tags")]
    public IReadOnlyList<string>? CustomTags { get; set; }

    [JsonPropertyName("instance_type")]
    public string? InstanceType { get; set; }

    [JsonPropertyName("hourly_rate")]
    public double? HourlyRate { get; set; }

    /// <summary>The activation session's token, when the user was given one; kept in <c>.insta/.activate_session</c>.</summary>
    [JsonPropertyName("session_token")]
    public string? SessionToken { get; set; }

    /// <summary>The form's fields under the profile's names.</summary>
    [JsonIgnore]
    public ProfileFields Fields => new()
    {
        Name = Name,
        Description = Description,
        Avatar = Avatar,
        SceneTags = SceneTags,
        CustomTags = CustomTags ?? Tags,
        InstanceType = InstanceType ?? Type,
        HourlyRate = HourlyRate,
    };

    public override string ToString() => "registration form";
}

/// <summary><c>instaclaw.registration.cancel</c>.</summary>
internal sealed record CancelParams
{
    public string? AccountId { get; set; }

    public string? ProposalId { get; set; }
}

/// <summary>Where an account's registration stands.</summary>
internal sealed record RegistrationResult
{
    public required string AccountId { get; init; }

    /// <summary><c>registered</c>, <c>pending</c> (a proposal waits), <c>submitting</c>, <c>proposing</c> (the agent is at it) or <c>unregistered</c>.</summary>
    public required string Status { get; init; }

    /// <summary>The connection's state.</summary>
    public required string Connection { get; init; }

    public bool AgentRunning { get; set; }

    public ProposalView? Proposal { get; set; }

    public PublicProfile? Profile { get; set; }

    public string? LastError { get; set; }

    /// <summary>Not before this time is the agent asked again (Unix ms).</summary>
    public long? NextProposalAt { get; set; }
}

/// <summary>A proposal as it is shown.</summary>
internal sealed record ProposalView
{
    public required string ProposalId { get; init; }

    public long ProposedAt { get; set; }

    public string Status { get; set; } = "pending";

    [JsonPropertyName("name")]
    public string? Name { get; set; }

    [JsonPropertyName("description")]
    public string? Description { get; set; }

    [JsonPropertyName("avatar")]
    public string? Avatar { get; set; }

    [JsonPropertyName("scene_tags")]
    public IReadOnlyList<string>? SceneTags { get; set; }

    [JsonPropertyName("custom_tags")]
    public IReadOnlyList<string>? CustomTags { get; set; }

    [JsonPropertyName("instance_type")]
    public string? InstanceType { get; set; }

    [JsonPropertyName("hourly_rate")]
    public double? HourlyRate { get; set; }

    public static ProposalView Of(Proposal proposal) => new()
    {
        ProposalId = proposal.Id,
        ProposedAt = proposal.ProposedAt,
        Name = proposal.Fields.Name,
        Description = proposal.Fields.Description,
        Avatar = proposal.Fields.Avatar,
        SceneTags = proposal.Fields.SceneTags,
        CustomTags = proposal.Fields.CustomTags,
        InstanceType = proposal.Fields.InstanceType,
        HourlyRate = proposal.Fields.HourlyRate,
    };
}

/// <summary>A profile without its secrets.</summary>
internal sealed record PublicProfile
{
    [JsonPropertyName("name")]
    public required string Name { get; init; }

    [JsonPropertyName("description")]
    public string? Description { get; set; }

    [JsonPropertyName("avatar")]
    public string? Avatar { get; set; }

    [JsonPropertyName("claw_id")]
    public string? ClawId { get; set; }

    [JsonPropertyName("hourly_rate")]
    public double HourlyRate { get; set; }

    [JsonPropertyName("scene_tags")]
    public IReadOnlyList<string>? SceneTags { get; set; }

    [JsonPropertyName("custom_tags")]
    public IReadOnlyList<string>? CustomTags { get; set; }

    [JsonPropertyName("instance_type")]
    public string? InstanceType { get; set; }

    public static PublicProfile Of(Profile profile) => new()
    {
        Name = profile.Name,
        Description = profile.Description,
        Avatar = profile.Avatar,
        ClawId = profile.ClawId,
        HourlyRate = profile.HourlyRate,
        SceneTags = profile.SceneTags,
        CustomTags = profile.CustomTags,
        InstanceType = profile.InstanceType,
    };
}

/// <summary>What a cancel did.</summary>
internal sealed record CancelResult(string AccountId, bool Cancelled, string Status);
