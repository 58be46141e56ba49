using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Core.Events;

/// <summary>Parameters of <c>events.subscribe</c>.</summary>
/// <param name="Names">The events wanted; null or empty means all.</param>
/// <param name="Since">The <c>cursor</c> of the last event that the client has: what happened after it comes first, without a gap.</param>
internal sealed record SubscribeParameters(IReadOnlyList<string>? Names = null, string? Since = null);

/// <summary>Result of <c>events.subscribe</c> and <c>events.unsubscribe</c>.</summary>
/// <param name="Names">The events that this connection gets now.</param>
/// <param name="Cursor">Where the row of events stands now; null from <c>events.unsubscribe</c>.</param>
internal sealed record SubscribeResult(IReadOnlyList<string> Names, string? Cursor = null);

/// <summary>Parameters of <c>events.since</c>.</summary>
internal sealed record SinceParameters
{
    /// <summary>The <c>cursor</c> of the last event that the client has, or of <c>events.subscribe</c>'s answer.</summary>
    public required string Cursor { get; init; }

    /// <summary>The events wanted; null or empty means all.</summary>
    public IReadOnlyList<string>? Names { get; init; }

    /// <summary>1…1000, default 100.</summary>
    public int? Limit { get; init; }
}

/// <summary>An event as <c>events.since</c> gives it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Payload">Its payload, with its own cursor.</param>
internal sealed record PastEvent(string Name, JsonElement Payload);

/// <summary>Result of <c>events.since</c>.</summary>
/// <param name="Events">What happened, oldest first.</param>
/// <param name="Cursor">Where to go on.</param>
/// <param name="More">True when there is more already.</param>
internal sealed record SinceResult(IReadOnlyList<PastEvent> Events, string Cursor, bool More);

/// <summary>The event <c>outbox.changed</c>.</summary>
/// <param name="MessageId">The outbox id.</param>
/// <param name="Channel">The channel id.</param>
/// <param name="AccountId">The account, lower case.</param>
/// <param name="SessionKey">The lane.</param>
/// <param name="Seq">The number in the lane.</param>
/// <param name="State">Where it got to.</param>
/// <param name="Reason">Why, when it failed.</param>
/// <param name="At">When (Unix ms).</param>
internal sealed record OutboxChange(string MessageId, string Channel, string AccountId, string SessionKey, long Seq, string State, string? Reason, long At);

/// <summary>The event <c>inbox.accepted</c>.</summary>
/// <param name="Id">The inbox id.</param>
/// <param name="Channel">The channel id.</param>
/// <param name="AccountId">The account.</param>
/// <param name="SessionKey">The lane.</param>
/// <param name="At">When (Unix ms).</param>
internal sealed record InboxAcceptance(string Id, string Channel, string AccountId, string SessionKey, long At);

/// <summary>The event <c>turn.ended</c>.</summary>
/// <param name="Id">The inbox id.</param>
/// <param name="Agent">The agent's name.</param>
/// <param name="Outcome"><c>done</c>, <c>failed</c>, <c>dead</c>, <c>away</c> or <c>handed-back</c>.</param>
/// <param name="Milliseconds">How long it took.</param>
internal sealed record TurnEnd(string Id, string Agent, string Outcome, long Milliseconds);

/// <summary>Parameters of a method that has none.</summary>
internal sealed record NoParameters;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SubscribeParameters))]
[JsonSerializable(typeof(SubscribeResult))]
[JsonSerializable(typeof(SinceParameters))]
[JsonSerializable(typeof(SinceResult))]
[JsonSerializable(typeof(NoParameters))]
[JsonSerializable(typeof(OutboxChange))]
[JsonSerializable(typeof(InboxAcceptance))]
[JsonSerializable(typeof(TurnEnd))]
[JsonSerializable(typeof(Dictionary<string, long>))]
internal sealed partial class EventsJson : JsonSerializerContext;
