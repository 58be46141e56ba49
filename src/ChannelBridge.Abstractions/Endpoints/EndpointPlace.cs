namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>On which addresses an endpoint answers.</summary>
[Flags]
public enum EndpointPlace
{
    /// <summary>The host's own listener (<c>Listen:Urls</c>), beside <c>/ws</c>, <c>/rpc</c> and <c>/v1</c>.</summary>
    Listener = 1,

    /// <summary>The addresses of <c>Listen:Addresses</c> that name the channel, where nothing else answers.</summary>
    Own = 2,

    /// <summary>Both.</summary>
    Both = Listener | Own,
}
