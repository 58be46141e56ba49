using System.Buffers;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Streams;

/// <summary>
/// The writing end of a stream: bytes as a <see cref="Stream"/>, or items by <see cref="WriteItemAsync"/>. Writing waits for the reader's
/// credit. A stream that is disposed of before <see cref="Complete"/> reaches its reader as given up.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Usage", "CA2213", Justification = "A token source without a timer holds nothing; it is cancelled once.")]
[System.Diagnostics.CodeAnalysis.SuppressMessage("Naming", "CA1710", Justification = "It reads and writes a stream of the protocol; that it is a Stream is how.")]
public sealed class PluginStreamWriter : Stream
{
    private readonly OutgoingFrames _output;
    private readonly Action<long> _forget;
    private readonly Lock _lock = new();
    private readonly ArrayBufferWriter<byte> _header = new(64);
    private readonly CancellationTokenSource _over = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _credit = PluginProtocol.StreamWindow;
    private long _seq;
    private bool _ended;
    private bool _closed;
    private bool _lost;

    internal PluginStreamWriter(long id, OutgoingFrames output, Action<long> forget)
    {
        Id = id;
        _output = output;
        _forget = forget;
    }

    /// <summary>The number by which a call names it.</summary>
    public long Id { get; }

    /// <summary>Signalled when the reader wants no more, or is gone: what is written then arrives nowhere.</summary>
    public CancellationToken Closed => _over.Token;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Sends one item, which the reader gets whole. One at a time.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Cancelled"/>: the reader wants no more; <see
    /// cref="ErrorCodes.Unavailable"/>: it is gone.</exception>
    public ValueTask WriteItemAsync(ReadOnlyMemory<byte> item, CancellationToken cancellationToken = default) =>
        SendAsync(item, isItem: true, cancellationToken);

    /// <summary>Says that all is sent.</summary>
    public void Complete() => End(null);

    /// <summary>Says that no more comes though it isn't whole.</summary>
    /// <param name="code">The reason, one of <see cref="ErrorCodes"/>.</param>
    public void Abandon(string code) => End(code);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        SendAsync(buffer, isItem: false, cancellationToken);

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Not offered: a write waits for the other process.</summary>
    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("write a plugin's stream asynchronously");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    internal void Heard(StreamFrame header)
    {
        lock (_lock)
        {
            if (header.Closed)
            {
                _closed = true;
                _forget(Id);
            }

            // A credit beyond all that was sent would be a wish for unbounded memory.
            _credit = Math.Min(_credit + header.Credit, PluginProtocol.StreamWindow);
            Wake();
        }

        if (header.Closed) End();
    }

    internal void Fail()
    {
        lock (_lock)
        {
            _lost = true;
            Wake();
        }

        End();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) End(ErrorCodes.Cancelled);
        base.Dispose(disposing);
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, bool isItem, CancellationToken cancellationToken)
    {
        if (bytes.IsEmpty && !isItem) return;
        while (true)
        {
            await _output.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);
            Task wait;
            lock (_lock)
            {
                if (_lost) throw BridgeException.Unavailable("the other end of the plugin's pipe is gone");
                if (_closed) throw new BridgeException(ErrorCodes.Cancelled, "the stream's reader wants no more");
                ObjectDisposedException.ThrowIf(_ended, this);
                var length = (int)Math.Min(Math.Min(bytes.Length, PluginProtocol.MaxFrameBytes), _credit - PluginProtocol.FrameCost);
                // A little credit isn't worth a frame.
                if (length >= Math.Min(bytes.Length, PluginProtocol.MaxFrameBytes / 4) && length >= 0)
                {
                    if (!Send(bytes.Span[..length], more: isItem && length < bytes.Length, end: false, null)) continue;
                    bytes = bytes[length..];
                    if (bytes.IsEmpty) return;
                    continue;
                }

                wait = _changed.Task;
            }

            await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void End(string? error)
    {
        lock (_lock)
        {
            if (_ended) return;
            _ended = true;
            if (_lost || _closed) return;
            try
            {
                Send([], more: false, end: true, error);
            }
            catch (BridgeException)
            {
                // The connection is gone, and the reader with it.
            }
        }
    }

    /// <summary>Sends a frame; false when there is no room for it now, which never stops an end.</summary>
    private bool Send(ReadOnlySpan<byte> bytes, bool more, bool end, string? error)
    {
        var header = new StreamFrame { Stream = Id, Seq = _seq + 1, More = more, End = end, Error = error }.Write(_header);
        if (end) _output.Add(header.Span, binary: true, bytes);
        else if (!_output.TryAdd(header.Span, binary: true, bytes)) return false;
        _seq++;
        _credit -= PluginProtocol.FrameCost + bytes.Length;
        return true;
    }

    // Whoever waits for it runs elsewhere: this is the thread that reads the pipe.
    private void End() => _ = _over.CancelAsync();

    private void Wake()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.TrySetResult();
    }
}
