using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>How a channel's messages are delivered.</summary>
/// <param name="Channel">The policy of the channel.</param>
/// <param name="Accounts">The policies of accounts that have one of their own, by the account as lanes know it.</param>
public sealed record ChannelDelivery(DeliveryPolicy Channel, IReadOnlyDictionary<string, DeliveryPolicy> Accounts);
