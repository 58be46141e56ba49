using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>What is kept of a task beside what its peer sees.</summary>
internal sealed record TaskHead
{
    /// <summary>The agent that answers it.</summary>
    public required string Agent { get; init; }

    /// <summary>The key of its record in the list.</summary>
    public string ListKey { get; init; } = "";

    /// <summary>The message whose turn is the task's last.</summary>
    public string LastMessageId { get; init; } = "";

    /// <summary>The message by which the task is about to go on: no other one may until this one is in the inbox.</summary>
    public string? Next { get; init; }

    /// <summary>Since when that is so (Unix ms): a host that died in between doesn't hold the task for ever.</summary>
    public long NextAt { get; init; }

    /// <summary>When it was made (Unix ms).</summary>
    public long CreatedAt { get; init; }

    /// <summary>When it ended (Unix ms), or 0.</summary>
    public long EndedAt { get; init; }

    /// <summary>True when its artifacts have a record of their own.</summary>
    public bool HasArtifacts { get; init; }
}

/// <summary>A task in the list.</summary>
/// <param name="Id">The task.</param>
/// <param name="ContextId">Its conversation.</param>
/// <param name="State">Its state.</param>
/// <param name="At">Since when (Unix ms).</param>
/// <param name="MadeAt">When it was made (Unix ms); 0 in records of earlier versions.</param>
internal sealed record ListEntry(string Id, string ContextId, ChannelBridge.A2A.TaskState State, long At, long MadeAt = 0);

/// <summary>The channel's own records as JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, UseStringEnumConverter = true)]
[JsonSerializable(typeof(TaskHead))]
[JsonSerializable(typeof(ListEntry))]
[JsonSerializable(typeof(Push.KeptPush))]
[JsonSerializable(typeof(Peers.PeerRecord))]
internal sealed partial class RecordJson : JsonSerializerContext;
