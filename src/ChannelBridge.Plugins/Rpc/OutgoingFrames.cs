using System.Buffers;
using ChannelBridge.Protocol.Framing;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// What waits to be written to the other end. Whoever has something adds it at once, and one writer at a time writes what has gathered in one go.
/// Calls and streams wait while too much is unread; an answer is never made to wait, because its reader may be waiting for it: if it
/// finds no room the other end isn't reading, and the connection ends.
/// </summary>
internal sealed class OutgoingFrames : IAsyncDisposable, IThreadPoolWorkItem
{
    private const int LeastCapacity = 4096;
    private readonly Stream _output;
    private readonly int _bound;
    private readonly Action<Exception> _onFault;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    // Of the pool, and none while nothing waits: most plugins are idle most of the time.
    private byte[] _filling = [];
    private int _filled;
    private int _inFlight;
    private bool _isWriting;
    private bool _closed;
    private TaskCompletionSource? _room;
    private TaskCompletionSource? _idle;
    private int _disposed;

    public OutgoingFrames(Stream output, int bound, Action<Exception> onFault)
    {
        _output = output;
        _bound = bound;
        _onFault = onFault;
    }

    /// <summary>Completes when there is room for a call or a stream's frame.</summary>
    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_closed) throw Gone();
            // Half of the bound is kept for answers.
            if (_filled + _inFlight < _bound / 2) return ValueTask.CompletedTask;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return new ValueTask(_room.Task.WaitAsync(cancellationToken));
        }
    }

    /// <summary>Adds a call or a stream's frame; false when others took the room that was waited for.</summary>
    /// <param name="body">The body, or its first piece.</param>
    /// <param name="binary">True for a stream's frame.</param>
    /// <param name="rest">Its second piece.</param>
    /// <param name="write">False: the caller says <see cref="Write"/>.</param>
    public bool TryAdd(ReadOnlySpan<byte> body, bool binary = false, ReadOnlySpan<byte> rest = default, bool write = true)
    {
        lock (_lock)
        {
            if (_closed) throw Gone();
            if (_filled + _inFlight >= _bound / 2) return false;
            Add(body, binary, rest, write);
            return true;
        }
    }

    /// <summary>Adds a message of one or two pieces.</summary>
    /// <inheritdoc cref="TryAdd"/>
    public void Add(ReadOnlySpan<byte> body, bool binary = false, ReadOnlySpan<byte> rest = default, bool write = true)
    {
        lock (_lock)
        {
            if (_closed) throw Gone();
            var length = body.Length + rest.Length;
            if (_filled + _inFlight + length > _bound)
            {
                var fault = new BridgeException(ErrorCodes.Busy, $"the other end doesn't read: {_bound} bytes wait for it");
                Close(fault);
                _onFault(fault);
                throw fault;
            }

            Reserve(ContentLengthHeader.MaxWrittenBytes + length);
            _filled += new ContentLengthHeader(length, binary).Write(_filling.AsSpan(_filled));
            body.CopyTo(_filling.AsSpan(_filled));
            rest.CopyTo(_filling.AsSpan(_filled + body.Length));
            _filled += length;
            if (!write || _isWriting) return;
            _isWriting = true;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <summary>Has what was added written.</summary>
    /// <param name="here">
    /// True: on this thread as far as the pipe takes it, for what the other end waits for; the caller holds no lock. False: soon, with what others add until then.
    /// </param>
    public void Write(bool here)
    {
        lock (_lock)
        {
            if (_isWriting || _filled == 0 || _closed) return;
            _isWriting = true;
        }

        if (here) _ = WriteAsync(here: true);
        else ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute() => _ = WriteAsync(here: false);

    /// <summary>Ends the writing at once; what waits is lost.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        Task idle;
        lock (_lock)
        {
            Close(Gone());
            if (_isWriting) _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            idle = _idle?.Task ?? Task.CompletedTask;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await idle.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task WriteAsync(bool here)
    {
        try
        {
            while (Take() is { Count: > 0 } batch)
            {
                try
                {
                    await _output.WriteAsync(batch.AsMemory(), _stop.Token).ConfigureAwait(false);
                    await _output.FlushAsync(_stop.Token).ConfigureAwait(false);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(batch.Array!);
                }

                // Whoever lent the thread gets it back; what others have added meanwhile isn't its business.
                if (Written() && here) await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                here = false;
            }
        }
        catch (Exception fault)
        {
            lock (_lock)
            {
                Close(fault is OperationCanceledException ? Gone() : fault);
                Rest();
            }

            if (fault is not OperationCanceledException) _onFault(fault);
        }
    }

    // What has gathered; nothing, and nobody writes any more.
    private ArraySegment<byte> Take()
    {
        lock (_lock)
        {
            if (_filled == 0 || _closed)
            {
                Rest();
                return default;
            }

            var batch = new ArraySegment<byte>(_filling, 0, _filled);
            _inFlight = _filled;
            _filling = [];
            _filled = 0;
            return batch;
        }
    }

    // True when more has gathered.
    private bool Written()
    {
        lock (_lock)
        {
            _inFlight = 0;
            _room?.TrySetResult();
            _room = null;
            return _filled > 0;
        }
    }

    private void Rest()
    {
        _isWriting = false;
        _idle?.TrySetResult();
    }

    private void Reserve(int more)
    {
        if (_filling.Length - _filled >= more) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Math.Max(LeastCapacity, _filled + more), Math.Min(2 * _filling.Length, _bound)));
        _filling.AsSpan(0, _filled).CopyTo(larger);
        if (_filling.Length > 0) ArrayPool<byte>.Shared.Return(_filling);
        _filling = larger;
    }

    private void Close(Exception fault)
    {
        lock (_lock)
        {
            _closed = true;
            _room?.TrySetException(fault);
            _ = _room?.Task.Exception;
            if (_filling.Length > 0) ArrayPool<byte>.Shared.Return(_filling);
            _filling = [];
            _filled = 0;
        }
    }

    /// <summary>What a call fails with whose pipe has ended.</summary>
    public static BridgeException Gone() => BridgeException.Unavailable("the other end of the plugin's pipe is gone");
}
