using System.Buffers;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>The other side of a WebSocket whose connection is the host's.</summary>
internal sealed class SdkSocketPeer : ISocketPeer, IDisposable
{
    private readonly PluginStreamReader _incoming;
    private readonly PluginStreamWriter _outgoing;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _closed = new();
    private readonly SemaphoreSlim _line = new(1, 1);
    private readonly IAsyncEnumerator<ReadOnlyMemory<byte>> _items;
    private readonly CancellationTokenRegistration _gone;
    private Task<bool>? _next;
    private Task _closing = Task.CompletedTask;
    private long _heard;
    private long _queued;
    private int _isClosing;
    private SocketEnd? _end;
    private Caller? _caller;

    public SdkSocketPeer(
        EndpointRequest request, string? subprotocol, Caller? caller, PluginStreamReader incoming, PluginStreamWriter outgoing, int maxMessage, TimeProvider time)
    {
        Request = request;
        Subprotocol = subprotocol;
        _caller = caller;
        _incoming = incoming;
        _outgoing = outgoing;
        _time = time;
        _heard = time.GetUtcNow().UtcTicks;
        _items = incoming.ReadItemsAsync(maxMessage + 1).GetAsyncEnumerator(CancellationToken.None);
        _gone = outgoing.Closed.UnsafeRegister(static state => ((SdkSocketPeer)state!).Note(new SocketEnd(1006, "", ByPeer: false)), this);
    }

    public string Id => Request.Id;

    public EndpointRequest Request { get; }

    public string? Subprotocol { get; }

    public Caller? Caller => Volatile.Read(ref _caller);

    public DateTimeOffset LastHeardAt => new(Volatile.Read(ref _heard), TimeSpan.Zero);

    public long QueuedBytes => Volatile.Read(ref _queued);

    public CancellationToken Closed => _closed.Token;

    public SocketEnd? End => Volatile.Read(ref _end);

    public void Authenticate(Caller caller)
    {
        ArgumentNullException.ThrowIfNull(caller);
        Volatile.Write(ref _caller, caller);
        _ = TellAsync(SocketItem.Known, Encoding.UTF8.GetBytes(caller.Name));
    }

    public void AuthenticationFailed(string? identity) => _ = TellAsync(SocketItem.Failed, Encoding.UTF8.GetBytes(identity ?? ""));

    public async ValueTask<SocketMessage?> ReceiveAsync(CancellationToken cancellationToken = default)
    {
        if (End is not null) return null;
        try
        {
            // A wait that was given up goes on, and its message is the next call's.
            while (await (_next ??= _items.MoveNextAsync().AsTask()).WaitAsync(cancellationToken).ConfigureAwait(false))
            {
                _next = null;
                Volatile.Write(ref _heard, _time.GetUtcNow().UtcTicks);
                var item = _items.Current;
                if (item.IsEmpty) continue;
                if (item.Span[0] is SocketItem.Text or SocketItem.Binary) return new SocketMessage(item[1..], item.Span[0] == SocketItem.Binary);
                if (item.Span[0] != SocketItem.Close) continue;
                var (code, reason) = SocketItem.ReadClose(item.Span[1..]);
                Note(new SocketEnd(code, reason, ByPeer: true));
                return null;
            }
        }
        catch (BridgeException)
        {
            // The host has given the stream up: the connection broke.
        }

        Note(new SocketEnd(1006, "", ByPeer: false));
        return null;
    }

    public async ValueTask<PushOutcome> SendAsync(ReadOnlyMemory<byte> content, bool binary = false, CancellationToken cancellationToken = default)
    {
        if (End is not null || Volatile.Read(ref _isClosing) != 0) return PushOutcome.Gone;
        Interlocked.Add(ref _queued, content.Length);
        try
        {
            return await WriteAsync(binary ? SocketItem.Binary : SocketItem.Text, content, cancellationToken).ConfigureAwait(false) ? PushOutcome.Flushed : PushOutcome.Gone;
        }
        finally
        {
            Interlocked.Add(ref _queued, -content.Length);
        }
    }

    public void Close(int code = 1000, string reason = "")
    {
        if (Interlocked.Exchange(ref _isClosing, 1) != 0) return;
        var buffer = new ArrayBufferWriter<byte>();
        var content = SocketItem.WriteClose(buffer, code, reason)[1..];
        _closing = EndAsync(content);
        Note(new SocketEnd(code, reason, ByPeer: false));
    }

    /// <summary>Completes when what was sent, and the close, is on its way.</summary>
    public Task FlushAsync() => _closing;

    public void Dispose()
    {
        _gone.Dispose();
        _outgoing.Dispose();
        _incoming.Dispose();
        Note(new SocketEnd(1006, "", ByPeer: false));
    }

    private async Task EndAsync(ReadOnlyMemory<byte> close)
    {
        await WriteAsync(SocketItem.Close, close, CancellationToken.None).ConfigureAwait(false);
        _outgoing.Complete();
    }

    private async Task TellAsync(byte letter, ReadOnlyMemory<byte> content) => await WriteAsync(letter, content, CancellationToken.None).ConfigureAwait(false);

    private async Task<bool> WriteAsync(byte letter, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        // Copied before the first wait: the caller's buffer may be another message's then.
        var item = SocketItem.Write(new ArrayBufferWriter<byte>(content.Length + 1), letter, content.Span);
        await _line.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Half an item can't be taken back: once begun, it is written to its end.
            await _outgoing.WriteItemAsync(item, CancellationToken.None).ConfigureAwait(false);
            return true;
        }
        catch (Exception over) when (over is BridgeException or ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            _line.Release();
        }
    }

    private void Note(SocketEnd end)
    {
        if (Interlocked.CompareExchange(ref _end, end, null) is null) _ = _closed.CancelAsync();
    }
}
