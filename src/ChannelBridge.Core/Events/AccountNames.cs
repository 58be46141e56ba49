using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Channels;

namespace ChannelBridge.Core.Events;

/// <summary>Accounts between the store, which keeps their ids in lower case, and people, who see and say them as they were first written.</summary>
internal sealed class AccountNames(IRegistry registry)
{
    private const int MostKnown = 10_000;

    // How the channels last reported their accounts. An account never changes its spelling, so a name that was seen once stays right.
    private readonly ConcurrentDictionary<(string Channel, string Account), string> _known = new();

    private IReadOnlyList<IChannel> Channels => registry.Current.Of<IChannel>();

    /// <summary>How a lane's account is shown.</summary>
    public string Shown(LaneKey lane)
    {
        if (_known.TryGetValue((lane.Channel, lane.Account), out var known)) return known;
        if (Channels.FirstOrDefault(candidate => candidate.Id == lane.Channel) is not { } channel) return lane.Account;
        if (_known.Count >= MostKnown) _known.Clear();
        foreach (var account in channel.GetAccounts()) _known[(channel.Id, account.AccountId.ToLowerInvariant())] = account.AccountId;
        return _known.TryGetValue((lane.Channel, lane.Account), out known) ? known : lane.Account;
    }

    /// <summary>The account that a caller means, to filter by, in lower case; null when none is named.</summary>
    /// <exception cref="BridgeException">No account can have this id.</exception>
    public string? Meant(string? channel, string? account) =>
        account is null ? null : (ChannelChoice.Find(Channels, channel)?.Spelling.Apply(account) ?? account).ToLowerInvariant();
}
