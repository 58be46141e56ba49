using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// Says a word to a conversation outside of any turn: a task that has finished, a peer that has answered. Durable when it completes.
/// </summary>
public interface INotifier
{
    /// <summary>
    /// Tells a conversation something, once per key. To a lane or a target it goes through the outbox, like any message. Into a session
    /// of the OpenClaw gateway it goes over the link when that is up: the model reads it in the session's next turn.
    /// </summary>
    /// <param name="origin">Where to.</param>
    /// <param name="text">What to say.</param>
    /// <param name="key">Stable for the word whatever happens; the same key again is a duplicate. At most 400 characters.</param>
    /// <param name="records">State of the channel that is written in the same commit; nothing of it when the word was said before.</param>
    /// <param name="cancellationToken">Stops waiting; the word may still be said.</param>
    /// <exception cref="BridgeException">
    /// <see cref="ErrorCodes.NotFound"/>: the channel or the target isn't known. <see cref="ErrorCodes.Busy"/> before anything is written,
    /// or a store error.
    /// </exception>
    ValueTask NotifyAsync(
        NoticeOrigin origin,
        string text,
        string key,
        IReadOnlyList<RecordWrite>? records = null,
        CancellationToken cancellationToken = default);
}

/// <summary>Where a word outside of a turn goes: usually where the request came from that it is about.</summary>
public abstract record NoticeOrigin
{
    private protected NoticeOrigin()
    {
    }
}

/// <summary>A lane of a channel of this host.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="AccountId">The account.</param>
/// <param name="SessionKey">The lane's key.</param>
/// <param name="Route">The channel's own address of the conversation.</param>
public sealed record LaneOrigin(string Channel, string AccountId, string SessionKey, string Route) : NoticeOrigin
{
    /// <summary>The lane of a message.</summary>
    public static LaneOrigin Of(InboundMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return new LaneOrigin(message.Channel, message.AccountId, message.SessionKey, message.Route);
    }
}

/// <summary>A target as people write it.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="AccountId">The account, or empty for the one that the channel means then.</param>
/// <param name="Target">The target.</param>
public sealed record TargetOrigin(string Channel, string AccountId, string Target) : NoticeOrigin;

/// <summary>A session of the OpenClaw gateway.</summary>
/// <param name="SessionKey">The gateway's key of it.</param>
/// <param name="AgentId">The gateway's agent that it belongs to, where the key doesn't say so.</param>
/// <param name="Wake">
/// True: the gateway is asked to look at the session soon, by its heartbeat. Without heartbeats, and with false, the word waits for the
/// session's next turn.
/// </param>
public sealed record GatewaySessionOrigin(string SessionKey, string? AgentId = null, bool Wake = true) : NoticeOrigin;
