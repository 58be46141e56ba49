using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>An identity on the platform, as <c>.insta/config/profile.json</c> has it. It holds secrets: <see cref="ToString"/> doesn't tell them.</summary>
internal sealed record Profile
{
    [JsonPropertyName("app_key")]
    public string AppKey { get; set; } = "";

    [JsonPropertyName("app_secret")]
    public string AppSecret { get; set; } = "";

    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    [JsonPropertyName("description")]
    public string Description { get; set; } = "";

    [JsonPropertyName("avatar")]
    public string Avatar { get; set; } = "";

    [JsonPropertyName("claw_id")]
    public string ClawId { get; set; } = "";

    [JsonPropertyName("hourly_rate")]
    public double HourlyRate { get; set; }

    [JsonPropertyName("scene_tags")]
    public IReadOnlyList<string> SceneTags { get; set; } = [];

    [JsonPropertyName("custom_tags")]
    public IReadOnlyList<string> CustomTags { get; set; } = [];

    [JsonPropertyName("instance_type")]
    public string InstanceType { get; set; } = "";

    /// <summary>True when it can be connected with.</summary>
    [JsonIgnore]
    public bool IsComplete => AppKey.Length > 0 && AppSecret.Length > 0;

    /// <summary>The headers by which every request to the platform says who asks.</summary>
    [JsonIgnore]
    public IEnumerable<(string Name, string Value)> Headers
    {
        get
        {
            yield return ("X-App-Key", AppKey);
            yield return ("X-App-Secret", AppSecret);
            if (ClawId.Length > 0) yield return ("X-Claw-Id", ClawId);
        }
    }

    public override string ToString() => $"profile {ClawId}";
}
