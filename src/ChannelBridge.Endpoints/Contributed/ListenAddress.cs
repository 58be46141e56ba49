namespace ChannelBridge.Endpoints.Contributed;

/// <summary>
/// One of <c>Listen:Addresses</c>: where only some channels' endpoints answer. The server hangs it on each connection that comes in there, so that nothing a
/// client writes can make one address of another.
/// </summary>
/// <param name="Name">Its name in the settings.</param>
/// <param name="Channels">The channels whose endpoints answer there, in lower case.</param>
public sealed record ListenAddress(string Name, IReadOnlyCollection<string> Channels);
