using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>
/// The host's side of one plugin: what its process may call, and who is told when there is a process and when there is none.
/// </summary>
public interface IPluginSide
{
    /// <summary>What the process may call.</summary>
    IPluginHost Host { get; }

    /// <summary>A process has shaken hands; its channels are about to start, and may call the host from now on.</summary>
    void OnConnected(IPluginProcess plugin, PluginStreams streams);

    /// <summary>Its channels have started.</summary>
    ValueTask OnStartedAsync(PluginStarted started, CancellationToken cancellationToken);

    /// <summary>There is no process any more; another may come.</summary>
    void OnGone();
}
