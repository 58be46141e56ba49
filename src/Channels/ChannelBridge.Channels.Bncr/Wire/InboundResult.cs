using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Result of <c>bncr.inbound</c>. <c>accepted:true</c> means: on disk, will be answered.</summary>
internal sealed record InboundResult
{
    public required bool Accepted { get; init; }

    /// <summary>The message was accepted before; nothing new happens.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Duplicated { get; init; }

    public required string AccountId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionKey { get; init; }

    public string? MsgId { get; init; }

    public string? TaskKey { get; init; }

    /// <summary>Why it wasn't accepted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>The lease that was shown isn't the current one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Stale { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Ignored { get; init; }
}
