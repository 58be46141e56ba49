using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.A2A.Methods;

/// <summary>Nothing.</summary>
internal sealed record PeerListParams;

/// <summary>The peers.</summary>
/// <param name="Peers">By name.</param>
internal sealed record PeerListResult(IReadOnlyList<PeerView> Peers);

/// <summary>A peer.</summary>
/// <param name="Name">Its name, which is its token's.</param>
/// <param name="Source"><c>store</c> or <c>settings</c>.</param>
/// <param name="Tasks">Its tasks here.</param>
/// <param name="Url">Where it answers itself, or null.</param>
/// <param name="HasOutboundKey">True when there is a file with the key that it wants to see.</param>
/// <param name="ExpiresAt">When its token ends (Unix ms), or null.</param>
/// <param name="LastUsedAt">When its token was last used (Unix ms), or null.</param>
internal sealed record PeerView(string Name, string Source, int Tasks, string? Url, bool HasOutboundKey, long? ExpiresAt, long? LastUsedAt);

/// <summary>A peer that is to be added.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Url">Where it answers itself, or absent.</param>
/// <param name="OutboundKeyFile">A file on the host whose first line is the key that it wants to see, or absent.</param>
/// <param name="ExpiresAt">When its token ends (Unix ms), or absent.</param>
internal sealed record PeerAddParams(string Name, string? Url = null, string? OutboundKeyFile = null, long? ExpiresAt = null);

/// <summary>A peer's new token.</summary>
/// <param name="Name">The peer.</param>
/// <param name="Secret">The token, told this once.</param>
internal sealed record PeerMadeResult(string Name, string Secret)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Which peer.</summary>
/// <param name="Name">Its name.</param>
/// <param name="GraceSeconds">With rotate: for how long the former token holds, or absent: 600.</param>
internal sealed record PeerParams(string Name, long? GraceSeconds = null);

/// <summary>It was done.</summary>
/// <param name="Removed">True.</param>
internal sealed record PeerRemovedResult(bool Removed);

/// <summary>What was forgotten.</summary>
/// <param name="Forgotten">Tasks that went.</param>
/// <param name="Open">Tasks that are at work and stay.</param>
internal sealed record PeerForgottenResult(int Forgotten, int Open);

/// <summary>Which tasks.</summary>
/// <param name="Peer">Of this peer, or absent: of all.</param>
/// <param name="Status">In this state, as 1.0 or 0.3 writes it; or absent.</param>
/// <param name="Limit">At most so many, 1 to 1000; 100 when absent.</param>
internal sealed record TaskListParams(string? Peer = null, string? Status = null, int? Limit = null);

/// <summary>Tasks.</summary>
/// <param name="Tasks">The one that changed last first.</param>
internal sealed record TaskListView(IReadOnlyList<TaskView> Tasks);

/// <summary>A task.</summary>
/// <param name="Peer">Whose.</param>
/// <param name="Id">Its id.</param>
/// <param name="ContextId">Its conversation.</param>
/// <param name="State">Its state, as 0.3 writes it.</param>
/// <param name="ChangedAt">Since when (Unix ms).</param>
internal sealed record TaskView(string Peer, string Id, string ContextId, string State, long ChangedAt);

/// <summary>Which task.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Peer">Whose, or absent: it is looked for.</param>
internal sealed record TaskParams(string Id, string? Peer = null);

/// <summary>A task as its peer sees it.</summary>
/// <param name="Peer">Whose.</param>
/// <param name="Agent">Who answers.</param>
/// <param name="Task">The task, as 1.0 writes it.</param>
internal sealed record TaskShown(string Peer, string Agent, JsonElement Task);

/// <summary>The methods' records as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(PeerListParams))]
[JsonSerializable(typeof(PeerListResult))]
[JsonSerializable(typeof(PeerAddParams))]
[JsonSerializable(typeof(PeerMadeResult))]
[JsonSerializable(typeof(PeerParams))]
[JsonSerializable(typeof(PeerRemovedResult))]
[JsonSerializable(typeof(PeerForgottenResult))]
[JsonSerializable(typeof(TaskListParams))]
[JsonSerializable(typeof(TaskListView))]
[JsonSerializable(typeof(TaskParams))]
[JsonSerializable(typeof(TaskShown))]
internal sealed partial class MethodJson : JsonSerializerContext;
