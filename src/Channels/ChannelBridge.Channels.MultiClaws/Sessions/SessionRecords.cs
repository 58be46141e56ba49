using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>A session as it is kept, apart from its messages, which are records of their own. Never changed: each change makes another one.</summary>
internal sealed record SessionHead
{
    public required string SessionId { get; init; }

    public required string AgentUrl { get; init; }

    public required string AgentName { get; init; }

    /// <summary>The conversation at the other agent.</summary>
    public required string ContextId { get; init; }

    /// <summary>The task at the other agent.</summary>
    public string? CurrentTaskId { get; init; }

    public required string Status { get; init; }

    public long CreatedAtMs { get; init; }

    public long UpdatedAtMs { get; init; }

    public string? Error { get; init; }

    /// <summary>True: messages, or parts of one, are gone because there were too many.</summary>
    public bool Truncated { get; init; }

    /// <summary>Grows with each change; part of a notice's key.</summary>
    public long Revision { get; init; }

    /// <summary>The number of the first message that is kept.</summary>
    public int First { get; init; } = 1;

    /// <summary>The number of the next message.</summary>
    public int Next { get; init; } = 1;

    /// <summary>The sizes of the messages that are kept, the oldest first.</summary>
    public IReadOnlyList<int> Sizes { get; init; } = [];

    /// <summary>The number of the other agent's last message, or 0.</summary>
    public int LastAgent { get; init; }

    /// <summary>The numbers of our messages that are to be sent, the oldest first; the first one is at work.</summary>
    public IReadOnlyList<int> Pending { get; init; } = [];

    /// <summary>The turn at work, once it has begun at the other agent.</summary>
    public TurnMark? Turn { get; init; }

    /// <summary>True: the task at the other agent waits for our next message.</summary>
    public bool TaskWaits { get; init; }

    /// <summary>How long a turn may take, where the start said so.</summary>
    public long? TimeoutMs { get; init; }

    /// <summary>What the other agent had made when its last turn ended, by id and size: what is new belongs to the next one.</summary>
    public IReadOnlyDictionary<string, int>? Seen { get; init; }

    /// <summary>The id of the agent's last question: seen again, it is no new one.</summary>
    public string? Asked { get; init; }

    /// <summary>A task at the other agent that is to be cancelled there; empty: the one that the message at work becomes.</summary>
    public string? CancelTask { get; init; }

    /// <summary>A notice that couldn't be said yet.</summary>
    public OwedNotice? Owed { get; init; }

    /// <summary>The conversation that asked, or null.</summary>
    public SessionOrigin? Origin { get; init; }

    /// <summary>The chain of hosts that led here.</summary>
    public Chain Chain { get; init; } = Chain.None;

    /// <summary>Our messages' id at the other agent: the same whenever it is sent.</summary>
    public string MessageIdOf(int number) => $"{SessionId}-{number}";

    [JsonIgnore]
    public bool Ended => SessionStatus.IsEnded(Status);
}

/// <summary>A turn at the other agent.</summary>
/// <param name="Number">Our message.</param>
/// <param name="TaskId">The task that it belongs to; null: not known yet.</param>
/// <param name="DeadlineMs">When it counts as failed (Unix ms).</param>
internal sealed record TurnMark(int Number, string? TaskId, long DeadlineMs);

/// <summary>A notice that is to be said.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Revision">The change that it is about.</param>
internal sealed record OwedNotice(NoticeKind Kind, long Revision);

/// <summary>What a conversation is told.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<NoticeKind>))]
internal enum NoticeKind
{
    Completed,
    Input,
    Failed,
}

/// <summary>Where a notice goes, as it is kept: a session of the gateway, a lane, or a target.</summary>
internal sealed record SessionOrigin
{
    public string? SessionKey { get; init; }

    public string? Channel { get; init; }

    public string? AccountId { get; init; }

    public string? Target { get; init; }

    public string? Route { get; init; }

    /// <summary>The origin as the notifier takes it; null: it names nothing.</summary>
    public NoticeOrigin? ToNotice() => this switch
    {
        { Channel: { Length: > 0 } channel, Target: { Length: > 0 } target } => new TargetOrigin(channel, AccountId ?? "", target),
        { Channel: { Length: > 0 } channel, SessionKey: { Length: > 0 } key, Route: { } route } => new LaneOrigin(channel, AccountId ?? "", key, route),
        { Channel: null, SessionKey: { Length: > 0 } key } => new GatewaySessionOrigin(key),
        _ => null,
    };
}

/// <summary>The chain of hosts that a session belongs to: A has asked B, B asks C.</summary>
/// <param name="Hops">How many sessions led to this one, itself included.</param>
/// <param name="Path">The agents that wait for it, as far as their addresses are known.</param>
internal sealed record Chain(int Hops, IReadOnlyList<string> Path)
{
    public static readonly Chain None = new(0, []);
}

/// <summary>A message of a session.</summary>
internal sealed record SessionMessage
{
    public required string Role { get; init; }

    public required string Content { get; init; }

    public long TimestampMs { get; init; }

    public string? TaskId { get; init; }
}

/// <summary>Serialization of what is kept.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(SessionHead))]
[JsonSerializable(typeof(SessionMessage))]
internal sealed partial class SessionJson : JsonSerializerContext
{
    /// <summary>With texts of all languages as they are.</summary>
    public static SessionJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
