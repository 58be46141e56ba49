using System.Threading.Channels;

namespace ChannelBridge.Client;

/// <summary>
/// The events of one subscription, from the moment it was made, over reconnects. One reader. When its buffer is full further events are dropped
/// and counted in <see cref="ClientEvent.Missed"/> of the next one, so that a slow reader holds up neither the answers to its own calls nor others.
/// </summary>
public sealed class ClientSubscription : IAsyncEnumerable<ClientEvent>, IDisposable
{
    private readonly Channel<ClientEvent> _events;
    private readonly string[] _names;
    private readonly Action<ClientSubscription> _onDispose;
    private long _missed;

    internal ClientSubscription(int capacity, string[] names, Action<ClientSubscription> onDispose)
    {
        _events = Channel.CreateBounded<ClientEvent>(new BoundedChannelOptions(capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        _names = names;
        _onDispose = onDispose;
    }

    /// <summary>The events as they come; ends when the client or the subscription is disposed.</summary>
    /// <exception cref="ChannelBridgeClientException">The client failed for good.</exception>
    public IAsyncEnumerator<ClientEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
        _events.Reader.ReadAllAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);

    /// <summary>Ends the subscription; what is in the buffer can still be read.</summary>
    public void Dispose()
    {
        _onDispose(this);
        _events.Writer.TryComplete();
    }

    /// <summary>Called by the one read loop.</summary>
    internal void Offer(ClientEvent incoming)
    {
        if (_names.Length > 0 && Array.IndexOf(_names, incoming.Name) < 0) return;
        if (_events.Writer.TryWrite(_missed == 0 ? incoming : incoming with { Missed = _missed })) _missed = 0;
        else _missed++;
    }

    internal void Complete(Exception? fault) => _events.Writer.TryComplete(fault);
}
