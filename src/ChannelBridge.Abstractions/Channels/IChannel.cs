using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Abstractions.Channels;

/// <summary>
/// A channel: its methods, its events, and what it says of itself. It gets <c>IInbox</c>, <c>IOutbox</c> and <c>IStore</c> (records, sequences)
/// from the container, and knows no endpoint, no engine and no other channel.
/// </summary>
public interface IChannel : IMethodSource
{
    /// <summary>The channel id, e.g. <c>bncr</c>.</summary>
    string Id { get; }

    /// <summary>
    /// The id under which the OpenClaw gateway knows the channel: its turns run there, and its policy is set there (<c>channels.ID</c>). Another than <see cref="Id"/>
    /// where the gateway has a channel of its own of that name.
    /// </summary>
    string GatewayId => Id;

    /// <inheritdoc/>
    string? IMethodSource.ForChannel => Id;

    /// <summary>False for a channel that only answers: <see cref="ResolveTargetAsync"/> always throws, and no call means it by default.</summary>
    bool CanSend => true;

    /// <summary>Called once after the store is open and before any door is.</summary>
    ValueTask StartAsync(CancellationToken cancellationToken);

    /// <summary>Called when the doors are closed and turns have ended.</summary>
    ValueTask StopAsync(CancellationToken cancellationToken);

    /// <summary>The accounts as the channel last reported them, for diagnostics, the gateway's status, and how their ids are shown. From memory; must not wait.</summary>
    IReadOnlyList<ChannelAccountStatus> GetAccounts();

    /// <summary>How accounts are written and which one is meant where none is named. Doesn't change.</summary>
    AccountSpelling Spelling => AccountSpelling.AsWritten;

    /// <summary>
    /// Resolves where a proactive send goes: a target as an operator or agent wrote it, to a route of this channel.
    /// </summary>
    /// <exception cref="Errors.BridgeException">The target is malformed or unknown.</exception>
    ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken);

    /// <summary>
    /// The target that people would write for a conversation, which <see cref="ResolveTargetAsync"/> resolves to the same lane. The session key
    /// itself where the channel has no shorter form that keeps the lane.
    /// </summary>
    ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken) => ValueTask.FromResult(sessionKey);

    /// <summary>
    /// The platform of a conversation, for tokens that are limited to platforms. A channel that leads to one platform only needs none: its id stands for it.
    /// </summary>
    string PlatformOf(string sessionKey) => Id;
}

/// <summary>A resolved target of a send.</summary>
/// <param name="AccountId">The account in its display case.</param>
/// <param name="SessionKey">The canonical session key.</param>
/// <param name="Route">The channel's own address.</param>
public sealed record ChannelTarget(string AccountId, string SessionKey, string Route);

/// <summary>An account's state: three kinds of health, apart.</summary>
public sealed record ChannelAccountStatus
{
    /// <summary>The account in its display case.</summary>
    public required string AccountId { get; init; }

    /// <summary>Transport: a client is connected and reachable.</summary>
    public bool Connected { get; init; }

    /// <summary>Connections of the account.</summary>
    public int ActiveConnections { get; init; }

    /// <summary>Inbound: when the last message was accepted (Unix ms), or null.</summary>
    public long? LastInboundAt { get; init; }

    /// <summary>When the last message was pushed (Unix ms), or null.</summary>
    public long? LastOutboundAt { get; init; }

    /// <summary>When a client was last heard (Unix ms), or null.</summary>
    public long? LastActivityAt { get; init; }

    /// <summary>The lane of the last message that was accepted, or null.</summary>
    public string? LastSessionKey { get; init; }

    /// <summary>Its conversation as the channel writes it for people, or null.</summary>
    public string? LastSessionScope { get; init; }

    /// <summary>When that was (Unix ms), or null.</summary>
    public long? LastSessionAt { get; init; }

    /// <summary>Backlog: replies that aren't settled.</summary>
    public long Pending { get; init; }

    /// <summary>Dead letters.</summary>
    public long DeadLetter { get; init; }
}
