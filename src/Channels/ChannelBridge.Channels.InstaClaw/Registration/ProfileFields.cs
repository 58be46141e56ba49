using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>What an identity is to be: the fields of the platform's form, under the names that <c>profile.json</c> has for them.</summary>
internal sealed record ProfileFields
{
    /// <summary>The name that users see; 1 to 64 characters.</summary>
    [JsonPropertyName("name")]
    public string? Name { get; set; }

    /// <summary>What it does, for users; at most 2000 characters.</summary>
    [JsonPropertyName("description")]
    public string? Description { get; set; }

    /// <summary>The address of a picture.</summary>
    [JsonPropertyName("avatar")]
    public string? Avatar { get; set; }

    /// <summary>What it is good for, in the platform's words.</summary>
    [JsonPropertyName("scene_tags")]
    public IReadOnlyList<string>? SceneTags { get; set; }

    /// <summary>The same in one's own words.</summary>
    [JsonPropertyName("custom_tags")]
    public IReadOnlyList<string>? CustomTags { get; set; }

    /// <summary>How it is deployed.</summary>
    [JsonPropertyName("instance_type")]
    public string? InstanceType { get; set; }

    /// <summary>What an hour of it costs.</summary>
    [JsonPropertyName("hourly_rate")]
    public double? HourlyRate { get; set; }

    /// <summary>These fields, and what they leave open from <paramref name="other"/>.</summary>
    public ProfileFields Over(ProfileFields? other) => other is null ? this : new ProfileFields
    {
        Name = Name ?? other.Name,
        Description = Description ?? other.Description,
        Avatar = Avatar ?? other.Avatar,
        SceneTags = SceneTags ?? other.SceneTags,
        CustomTags = CustomTags ?? other.CustomTags,
        InstanceType = InstanceType ?? other.InstanceType,
        HourlyRate = HourlyRate ?? other.HourlyRate,
    };

    /// <summary>What is wrong with them, in words for whoever filled them in; null when they can be sent.</summary>
    public string? Fault()
    {
        if (string.IsNullOrWhiteSpace(Name)) return "name is required";
        if (Name.Length > 64) return "name has more than 64 characters";
        if (Description is { Length: > 2000 }) return "description has more than 2000 characters";
        if (Avatar is { Length: > 0 } avatar && (avatar.Length > 2000 || !Uri.TryCreate(avatar, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")))
        {
            return "avatar is no http or https address";
        }

        if (Wrong(SceneTags) || Wrong(CustomTags)) return "scene_tags and custom_tags take at most 20 tags of 1 to 64 characters";
        if (InstanceType is { Length: > 64 }) return "instance_type has more than 64 characters";
        return HourlyRate is < 0 or > 1_000_000 ? "hourly_rate must be 0 to 1000000" : null;
    }

    private static bool Wrong(IReadOnlyList<string>? tags) => tags is not null && (tags.Count > 20 || tags.Any(tag => string.IsNullOrWhiteSpace(tag) || tag.Length > 64));
}

/// <summary>A registration that waits for the user's word.</summary>
internal sealed record Proposal
{
    /// <summary>Names it; a new proposal has a new one.</summary>
    public required string Id { get; init; }

    /// <summary>When it was made (Unix ms).</summary>
    public long ProposedAt { get; set; }

    /// <summary>What is proposed.</summary>
    public required ProfileFields Fields { get; init; }
}
