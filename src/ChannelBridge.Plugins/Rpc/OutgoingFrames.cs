using System.Buffers;
using ChannelBridge.Protocol.Framing;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// What waits to be written to the other end. Whoever has something adds it at once, and one task writes what has gathered in one go.
/// Calls and streams wait while too much is unread; an answer is never made to wait, because its reader may be waiting for it: if it
/// finds no room the other end isn't reading, and the connection ends.
/// </summary>
internal sealed class OutgoingFrames : IAsyncDisposable
{
    private const int KeptCapacity = 256 * 1024;
    private readonly Stream _output;
    private readonly int _bound;
    private readonly Action<Exception> _onFault;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _work = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _writing;
    private ArrayBufferWriter<byte> _filling = new();
    private ArrayBufferWriter<byte> _emptying = new();
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inFlight;
    private bool _closed;
    private int _disposed;

    public OutgoingFrames(Stream output, int bound, Action<Exception> onFault)
    {
        _output = output;
        _bound = bound;
        _onFault = onFault;
        _writing = Task.Run(WriteAsync);
    }

    /// <summary>Completes when there is room for a call or a stream's frame.</summary>
    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_closed) throw Gone();
            // Half of the bound is kept for answers.
            if (_filling.WrittenCount + _inFlight < _bound / 2) return ValueTask.CompletedTask;
            return new ValueTask(_room.Task.WaitAsync(cancellationToken));
        }
    }

    /// <summary>Adds a call or a stream's frame; false when others took the room that was waited for.</summary>
    public bool TryAdd(ReadOnlySpan<byte> body, bool binary = false, ReadOnlySpan<byte> rest = default)
    {
        lock (_lock)
        {
            if (_closed) throw Gone();
            if (_filling.WrittenCount + _inFlight >= _bound / 2) return false;
            Add(body, binary, rest);
            return true;
        }
    }

    /// <summary>Adds a message of one or two pieces.</summary>
    public void Add(ReadOnlySpan<byte> body, bool binary = false, ReadOnlySpan<byte> rest = default)
    {
        lock (_lock)
        {
            if (_closed) throw Gone();
            var length = body.Length + rest.Length;
            if (_filling.WrittenCount + _inFlight + length > _bound)
            {
                _closed = true;
                var fault = new BridgeException(ErrorCodes.Busy, $"the other end doesn't read: {_bound} bytes wait for it");
                _room.TrySetException(fault);
                _ = _room.Task.Exception;
                _onFault(fault);
                throw fault;
            }

            var header = _filling.GetSpan(ContentLengthHeader.MaxWrittenBytes);
            _filling.Advance(new ContentLengthHeader(length, binary).Write(header));
            _filling.Write(body);
            _filling.Write(rest);
            if (_work.CurrentCount == 0) _work.Release();
        }
    }

    /// <summary>Ends the writing at once; what waits is lost.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        Close(Gone());
        await _stop.CancelAsync().ConfigureAwait(false);
        await _writing.ConfigureAwait(false);
        _stop.Dispose();
        _work.Dispose();
    }

    private async Task WriteAsync()
    {
        try
        {
            while (true)
            {
                await _work.WaitAsync(_stop.Token).ConfigureAwait(false);
                ArrayBufferWriter<byte> batch;
                lock (_lock)
                {
                    (_filling, _emptying) = (_emptying, _filling);
                    batch = _emptying;
                    _inFlight = batch.WrittenCount;
                }

                await _output.WriteAsync(batch.WrittenMemory, _stop.Token).ConfigureAwait(false);
                await _output.FlushAsync(_stop.Token).ConfigureAwait(false);
                TaskCompletionSource room;
                lock (_lock)
                {
                    // A buffer that has grown for a burst isn't kept.
                    if (batch.Capacity > KeptCapacity) _emptying = new ArrayBufferWriter<byte>();
                    else batch.ResetWrittenCount();
                    _inFlight = 0;
                    room = _room;
                    if (!_closed) _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }

                room.TrySetResult();
            }
        }
        catch (Exception fault)
        {
            Close(fault is OperationCanceledException ? Gone() : fault);
            if (fault is not OperationCanceledException) _onFault(fault);
        }
    }

    private void Close(Exception fault)
    {
        lock (_lock)
        {
            _closed = true;
            _room.TrySetException(fault);
            _ = _room.Task.Exception;
        }
    }

    private static BridgeException Gone() => BridgeException.Unavailable("the other end of the plugin's pipe is gone");
}
