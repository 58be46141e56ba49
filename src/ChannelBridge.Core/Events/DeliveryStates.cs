using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Events;

/// <summary>The states of a receipt as they stand on the wire.</summary>
internal static class DeliveryStates
{
    /// <summary>A state's name.</summary>
    public static string NameOf(DeliveryState state) => state switch
    {
        DeliveryState.Accepted => "accepted",
        DeliveryState.Pushed => "pushed",
        DeliveryState.Acked => "acked",
        DeliveryState.Delivered => "delivered",
        DeliveryState.Expired => "expired",
        _ => "dead",
    };
}
