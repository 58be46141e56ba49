using System.Text.Json;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Events;

/// <summary>Tells operators who watch what happens to messages. Costs nothing while nobody does.</summary>
internal sealed class MessagingEvents(IEventHub hub, AccountNames accounts, TimeProvider time)
{
    public void Accepted(Guid id, LaneKey lane)
    {
        if (!hub.HasSubscribers) return;
        var payload = new InboxAcceptance(id.ToString(), lane.Channel, accounts.Shown(lane), lane.SessionKey, Now());
        hub.Publish(EventNames.InboxAccepted, JsonSerializer.SerializeToUtf8Bytes(payload, EventsJson.Default.InboxAcceptance));
    }

    public void TurnEnded(Guid id, string agent, string outcome, TimeSpan duration)
    {
        if (!hub.HasSubscribers) return;
        var payload = new TurnEnd(id.ToString(), agent, outcome, (long)duration.TotalMilliseconds);
        hub.Publish(EventNames.TurnEnded, JsonSerializer.SerializeToUtf8Bytes(payload, EventsJson.Default.TurnEnd));
    }

    public void Changed(Guid id, LaneKey lane, long seq, DeliveryState state, string? reason = null)
    {
        if (!hub.HasSubscribers) return;
        var payload = new OutboxChange(id.ToString(), lane.Channel, accounts.Shown(lane), lane.SessionKey, seq, DeliveryStates.NameOf(state), reason, Now());
        hub.Publish(EventNames.OutboxChanged, JsonSerializer.SerializeToUtf8Bytes(payload, EventsJson.Default.OutboxChange));
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
