using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Result of <c>bncr.activity</c>.</summary>
internal sealed record ActivityResult
{
    public required string AccountId { get; init; }

    public bool Ok { get; init; } = true;

    public string Event { get; init; } = "activity";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ActiveConnections { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Pending { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? DeadLetter { get; init; }

    /// <summary>False on a stale lease, absent otherwise.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? Accepted { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Stale { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Ignored { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Now { get; init; }
}
