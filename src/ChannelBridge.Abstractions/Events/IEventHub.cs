namespace ChannelBridge.Abstractions.Events;

/// <summary>
/// Live events for operators (<c>channelbridge watch</c>): what happens, without bodies or secrets. Best effort: a subscriber that is slow misses
/// some and is told how many; nothing waits for it.
/// </summary>
public interface IEventHub
{
    /// <summary>True when somebody listens; check it before building a payload on a hot path.</summary>
    bool HasSubscribers { get; }

    /// <summary>Sends an event to whoever subscribed to it.</summary>
    /// <param name="name">The event's name, e.g. <c>outbox.changed</c>.</param>
    /// <param name="payload">UTF-8 JSON object; not changed afterwards.</param>
    void Publish(string name, ReadOnlyMemory<byte> payload);
}
