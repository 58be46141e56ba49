using System.IO.Pipelines;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;
using PolyType;
using StreamJsonRpc;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// One end of the pipe between host and plugin: calls both ways, and streams. <see cref="ForHost"/> makes the host's end,
/// <see cref="ForPlugin"/> the plugin's.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A token source without a timer holds nothing; it is cancelled once.")]
public sealed class PluginConnection : IAsyncDisposable
{
    private readonly PipeReader _input;
    private readonly OutgoingFrames _output;
    private readonly PluginMessageHandler _handler;
    private readonly PluginRpc _rpc;
    private readonly TaskCompletionSource<Exception?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _gone = new();
    private Exception? _fault;

    private PluginConnection(Stream input, Stream output, PluginLimits limits, Action<Exception, string> onFault, bool isHost)
    {
        _input = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: 32 * 1024, minimumReadSize: 4096));
        _output = new OutgoingFrames(output, limits.MaxUnreadBytes, fault => End(fault));
        Streams = new PluginStreams(_output);
        _handler = new PluginMessageHandler(_input, _output, Streams, limits, Traffic, isHost ? null : new CallPlaces(limits.MaxOpenRequests, _gone.Token));
        _rpc = new PluginRpc(_handler, onFault);
        if (isHost) _rpc.SynchronizationContext = new InlineContext();
        _rpc.Disconnected += (_, args) => End(args.Exception);
    }

    /// <summary>The streams of this connection.</summary>
    public PluginStreams Streams { get; }

    /// <summary>What was refused and dropped.</summary>
    public PluginTraffic Traffic { get; } = new();

    /// <summary>Calls of the other end that have no answer yet.</summary>
    public int OpenRequests => _handler.OpenRequests;

    /// <summary>
    /// Completes when the connection has ended, with the reason, or with null when the other end closed it between two messages.
    /// </summary>
    public Task<Exception?> Ended => _ended.Task;

    /// <summary>The host's end: it serves <paramref name="host"/> and calls the plugin.</summary>
    /// <param name="input">What the plugin writes.</param>
    /// <param name="output">What the plugin reads.</param>
    /// <param name="host">What the plugin may call; its methods run at the same time.</param>
    /// <param name="limits">The bounds.</param>
    /// <param name="onFault">Told of exceptions that aren't part of the interface, with the method's name.</param>
    public static (PluginConnection Connection, IPluginProcess Plugin) ForHost(
        Stream input, Stream output, IPluginHost host, PluginLimits limits, Action<Exception, string> onFault)
    {
        var connection = new PluginConnection(input, output, limits, onFault, isHost: true);
        return (connection, connection.Start<IPluginHost, IPluginProcess>(host));
    }

    /// <summary>
    /// The plugin's end: it serves <paramref name="plugin"/> and calls the host. As many calls are open at a time as the host takes; others wait here
    /// for an answer to one of them.
    /// </summary>
    /// <param name="input">What the host writes.</param>
    /// <param name="output">What the host reads.</param>
    /// <param name="plugin">What the host may call, given the host to call.</param>
    /// <param name="limits">The bounds.</param>
    /// <param name="onFault">Told of exceptions that aren't part of the interface, with the method's name.</param>
    public static (PluginConnection Connection, IPluginHost Host) ForPlugin(
        Stream input, Stream output, IPluginProcess plugin, PluginLimits limits, Action<Exception, string> onFault)
    {
        var connection = new PluginConnection(input, output, limits, onFault, isHost: false);
        return (connection, connection.Start<IPluginProcess, IPluginHost>(plugin));
    }

    /// <summary>Ends the connection: open calls end as cancelled or unavailable, on both ends.</summary>
    public async ValueTask DisposeAsync()
    {
        End(null);
        _rpc.Dispose();
        await _output.DisposeAsync().ConfigureAwait(false);
        await _input.CompleteAsync().ConfigureAwait(false);
    }

    private TRemote Start<TLocal, TRemote>(TLocal local)
        where TLocal : class, IShapeable<TLocal>
        where TRemote : class
    {
        _rpc.AddLocalRpcTarget(
            RpcTargetMetadata.FromShape<TLocal>(), local, new JsonRpcTargetOptions { AllowFlexibleNamedArgumentMatching = true });
        var remote = _rpc.Attach<TRemote>(new JsonRpcProxyOptions { ServerRequiresNamedArguments = true });
        _rpc.StartListening();
        return remote;
    }

    private void End(Exception? fault)
    {
        if (fault is not null) Interlocked.CompareExchange(ref _fault, fault, null);
        Streams.Fail(fault ?? BridgeException.Unavailable("the plugin's pipe has ended"));
        if (!_ended.TrySetResult(Volatile.Read(ref _fault))) return;
        _gone.Cancel();
        // A fault of the writing end doesn't reach the reading one by itself.
        if (fault is not null) _ = Task.Run(_rpc.Dispose);
    }
}
