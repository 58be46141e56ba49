namespace ChannelBridge.Abstractions.Events;

/// <summary>The events to which an operator can subscribe. Each carries its <c>cursor</c>, but <see cref="Dropped"/>, which has no place in their row.</summary>
public static class EventNames
{
    /// <summary>A message was accepted: <c>{id, channel, accountId, sessionKey, at}</c>.</summary>
    public const string InboxAccepted = "inbox.accepted";

    /// <summary>A turn ended: <c>{id, agent, outcome, milliseconds}</c>.</summary>
    public const string TurnEnded = "turn.ended";

    /// <summary>A message to a bridge got further: <c>{messageId, channel, accountId, sessionKey, seq, state, reason?, at}</c>.</summary>
    public const string OutboxChanged = "outbox.changed";

    /// <summary>
    /// A transfer got further, about once a second: <c>{transferId, direction, channel, accountId, fileName?, state, bytes, totalBytes, bytesPerSecond,
    /// leftMs?, at}</c>; <c>state</c> is <c>open</c>, <c>complete</c> or <c>aborted</c>.
    /// </summary>
    public const string FileProgress = "file.progress";

    /// <summary>
    /// A session with an agent of another host has changed, or what it says grows: <c>{sessionId, agentUrl, agentName, status, messages, at, error?, characters?}</c>.
    /// </summary>
    public const string SessionsChanged = "sessions.changed";

    /// <summary>A device waits for an approval: <c>{requestId, deviceId, reason, role, scopes, ts}</c>.</summary>
    public const string DevicePairRequested = "device.pair.requested";

    /// <summary>A device's request was decided, or it was approved by itself (no <c>requestId</c>): <c>{requestId?, deviceId, decision, ts}</c>.</summary>
    public const string DevicePairResolved = "device.pair.resolved";

    /// <summary>A device was removed or renamed, or its token rotated or revoked: <c>{deviceId, change, ts}</c>.</summary>
    public const string DevicePairChanged = "device.pair.changed";

    /// <summary>The subscriber was too slow: <c>{count}</c> events were left out since the last one.</summary>
    public const string Dropped = "events.dropped";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        InboxAccepted, TurnEnded, OutboxChanged, FileProgress, SessionsChanged, DevicePairRequested, DevicePairResolved, DevicePairChanged, Dropped,
    ];
}
