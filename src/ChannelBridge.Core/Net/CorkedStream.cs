using System.Buffers;

namespace ChannelBridge.Core.Net;

/// <summary>
/// A stream that can hold small writes back, so that a round of WebSocket frames costs one flush instead of one each. Reads pass through.
/// The WebSocket above serialises its writes; cork and uncork are called by the one writer.
/// </summary>
internal sealed class CorkedStream(Stream inner) : Stream
{
    // One TLS record or a few network packets: more gains nothing.
    private const int Capacity = 16 * 1024;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private byte[]? _held;
    private int _length;
    private volatile bool _corked;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Holds writes back from now on.</summary>
    public void Cork() => _corked = true;

    /// <summary>Writes what was held back.</summary>
    public async ValueTask UncorkAsync(CancellationToken cancellationToken)
    {
        // First of all: who gives up waiting here leaves what is held to the next write, which may be the goodbye.
        _corked = false;
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await FlushHeldAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // Pings and closing frames come from elsewhere than the writer; they wait their turn.
        if (!_gate.Wait(0, CancellationToken.None)) return WriteSlowAsync(buffer, waited: false, cancellationToken);
        if (_corked && buffer.Length <= Capacity - _length)
        {
            _held ??= ArrayPool<byte>.Shared.Rent(Capacity);
            buffer.Span.CopyTo(_held.AsSpan(_length));
            _length += buffer.Length;
            _gate.Release();
            return ValueTask.CompletedTask;
        }

        return WriteSlowAsync(buffer, waited: true, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        inner.ReadAsync(buffer, offset, count, cancellationToken);

    // The WebSocket flushes behind each frame, but the stream below has flushed with the write already, and once more is nothing but locks.
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        // Not the gate: a write that the end interrupts still gives it back, and it holds nothing.
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask WriteSlowAsync(ReadOnlyMemory<byte> buffer, bool waited, CancellationToken cancellationToken)
    {
        if (!waited) await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await FlushHeldAsync(cancellationToken).ConfigureAwait(false);
            await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask FlushHeldAsync(CancellationToken cancellationToken)
    {
        if (_held is not { } held) return;
        var length = _length;
        _held = null;
        _length = 0;
        try
        {
            await inner.WriteAsync(held.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(held);
        }
    }
}
