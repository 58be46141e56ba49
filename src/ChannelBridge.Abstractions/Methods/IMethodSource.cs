using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Methods;

/// <summary>Contributes methods to the router: a channel, the link, diagnostics. Its methods don't change while it is registered.</summary>
public interface IMethodSource : IContributor
{
    /// <summary>The methods; names are unique in the host.</summary>
    IEnumerable<RpcMethod> Methods { get; }

    /// <summary>True when clients of the OpenClaw gateway may call these, too, as they may the methods of channels; default false.</summary>
    bool ForGateway => false;

    /// <summary>The channel whose methods these are: a token that is limited to other channels may not call them. Null (default): of no channel.</summary>
    string? ForChannel => null;

    /// <summary>The names of the events that this source may send to clients, for <c>hello-ok.features.events</c>.</summary>
    IEnumerable<string> Events => [];
}
