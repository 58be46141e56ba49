using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Channels;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>Accounts between the store, which keeps their ids in lower case, and people, who see and say them as they were first written.</summary>
internal sealed class AccountNames(IRegistry registry)
{
    private IReadOnlyList<IChannel> Channels => registry.Current.Of<IChannel>();

    /// <summary>How a lane's account is shown.</summary>
    public string Shown(LaneKey lane) => Find(lane.Channel)?.AccountName(lane.Account) ?? lane.Account;

    /// <summary>The account that a caller means, to filter by; null when none is named.</summary>
    /// <exception cref="BridgeException">No account can have this id.</exception>
    public string? Meant(string? channel, string? account) =>
        account is null ? null : (ChannelChoice.Find(Channels, channel)?.AccountName(account) ?? account).ToLowerInvariant();

    private IChannel? Find(string channel) => Channels.FirstOrDefault(candidate => candidate.Id == channel);
}
