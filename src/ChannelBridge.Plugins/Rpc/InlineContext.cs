namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// Begins each call on the thread that read it, in the order in which the calls came; by itself the library changes threads for each. For the host's end, whose methods
/// never block: in a plugin's process a channel that does would keep the answer that it waits for from being read.
/// </summary>
internal sealed class InlineContext : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state)
    {
        ArgumentNullException.ThrowIfNull(d);
        d(state);
    }

    public override void Send(SendOrPostCallback d, object? state) => Post(d, state);

    public override SynchronizationContext CreateCopy() => this;
}
