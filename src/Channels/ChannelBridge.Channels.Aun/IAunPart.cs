using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Channels.Aun;

/// <summary>
/// One side of the channel: the endpoint, whose accounts are the AIDs of this host's agents, and the connector, whose accounts are those of the settings. Together they
/// are the channel <c>aun</c>, see <see cref="AunChannel"/>. Register a part as a singleton <c>IAunPart</c>.
/// </summary>
internal interface IAunPart
{
    /// <summary>The part's name in the diagnostics of the channel: <c>endpoint</c>, <c>connector</c>.</summary>
    string Name { get; }

    /// <summary>False: it isn't configured and does nothing.</summary>
    bool IsOn { get; }

    /// <summary>Its methods, whether it is on or not.</summary>
    IEnumerable<RpcMethod> Methods { get; }

    /// <summary>Called once before the doors open; must not wait for others.</summary>
    ValueTask StartAsync(CancellationToken cancellationToken);

    /// <summary>Called when the doors are closed and turns have ended.</summary>
    ValueTask StopAsync(CancellationToken cancellationToken);

    /// <summary>Its accounts, from memory.</summary>
    IReadOnlyList<ChannelAccountStatus> GetAccounts();

    /// <summary>True for an account of this part, compared without case; empty: none was named, and only a part with one account says yes.</summary>
    bool Owns(string accountId);

    /// <summary>See <see cref="IChannel.ResolveTargetAsync"/>; called for an account that the part owns. The target comes without <c>aun:</c> before it.</summary>
    ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken);

    /// <summary>What it says of itself; no secrets.</summary>
    ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken);
}
