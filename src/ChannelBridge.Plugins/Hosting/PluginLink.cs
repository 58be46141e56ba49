using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using ChannelBridge.Plugins.Streams;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>The running process of a plugin, or that there is none.</summary>
/// <param name="id">The plugin.</param>
internal sealed class PluginLink(string id)
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(5);
    private volatile Live? _live;

    /// <summary>The process now, or null.</summary>
    public Live? Current => _live;

    /// <summary>The process now.</summary>
    /// <exception cref="BridgeException">There is none; it may come back.</exception>
    public IPluginProcess Require() => RequireLive().Plugin;

    /// <summary>The process now, with its streams.</summary>
    /// <exception cref="BridgeException">There is none; it may come back.</exception>
    public Live RequireLive() =>
        _live ?? throw BridgeException.Unavailable($"plugin {id} isn't running; see 'channelbridge plugins list'", Again);

    /// <summary>There is a process.</summary>
    public void Set(IPluginProcess plugin, PluginStreams streams) => _live = new Live(plugin, streams);

    /// <summary>There is none any more.</summary>
    public void Clear() => Interlocked.Exchange(ref _live, null)?.End();

    /// <summary>One process.</summary>
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A token source without a timer holds nothing; it is cancelled once.")]
    internal sealed class Live
    {
        private readonly CancellationTokenSource _gone = new();

        public Live(IPluginProcess plugin, PluginStreams streams)
        {
            Plugin = plugin;
            Streams = streams;
            Places = new CallPlaces(PluginLimits.Default.MaxOpenRequests / 2, _gone.Token);
        }

        public IPluginProcess Plugin { get; }

        public PluginStreams Streams { get; }

        public CancellationToken Gone => _gone.Token;

        /// <summary>
        /// Pushes that have no answer yet and acks that are being recorded: half of the calls that either end takes. So no push is refused, the host is always
        /// heard, and where the disk is slow pushes wait, because acks of more of them would be refused. Acks take a place anyway.
        /// </summary>
        public CallPlaces Places { get; }

        public void End() => _gone.Cancel();
    }
}
