using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Endpoints.Http;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>The way out of one event stream: events and the comments between them, one after the other.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing.")]
internal sealed class EventWriter(EventOutput output, TimeSpan heartbeat, TimeProvider time, DoorExchange exchange) : IEventWriter
{
    // So much is written before a reader must have taken it: what waits stays with who wrote it, and not in the server's memory.
    private const int LargestFlush = 64 * 1024;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private long _writtenAt = time.GetTimestamp();
    private bool _ended;

    /// <inheritdoc/>
    public CancellationToken Closed { get; } = exchange.Closed;

    /// <inheritdoc/>
    public async ValueTask<bool> WriteAsync(ServerEvent item, CancellationToken cancellationToken = default)
    {
        Check(item);
        if (!_gate.Wait(0, CancellationToken.None)) await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_ended || Closed.IsCancellationRequested) return false;
            output.Write(item.Event, item.Id, item.Data.Span);
            return await FlushAsync().ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> WriteAllAsync(ReadOnlyMemory<ServerEvent> items, CancellationToken cancellationToken = default)
    {
        foreach (ref readonly var item in items.Span) Check(item);
        if (!_gate.Wait(0, CancellationToken.None)) await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_ended || Closed.IsCancellationRequested) return false;
            while (!items.IsEmpty)
            {
                items = items[Write(items.Span)..];
                if (!await FlushAsync().ConfigureAwait(false)) return false;
            }

            return true;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Writes a comment when nothing was written for long.</summary>
    public void Sweep()
    {
        if (Closed.IsCancellationRequested || time.GetElapsedTime(Interlocked.Read(ref _writtenAt)) < heartbeat || !_gate.Wait(0, CancellationToken.None)) return;
        _ = PingAsync();
    }

    /// <summary>Nothing is written any more once this has completed.</summary>
    public async ValueTask EndAsync()
    {
        await _gate.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        _ended = true;
        _gate.Release();
    }

    private static void Check(in ServerEvent item)
    {
        if (HasLineEnd(item.Event) || HasLineEnd(item.Id)) throw new ArgumentException("An event's name and id are one line each.", nameof(item));
    }

    private static bool HasLineEnd(string? text) => text is not null && text.AsSpan().IndexOfAny('\r', '\n', '\0') >= 0;

    /// <summary>Writes as many as one flush takes, one at least.</summary>
    private int Write(ReadOnlySpan<ServerEvent> items)
    {
        var bytes = 0;
        var count = 0;
        do
        {
            ref readonly var item = ref items[count++];
            output.Write(item.Event, item.Id, item.Data.Span);
            bytes += item.Data.Length;
        }
        while (count < items.Length && bytes < LargestFlush);
        return count;
    }

    private async Task PingAsync()
    {
        try
        {
            if (_ended || Closed.IsCancellationRequested) return;
            output.Ping();
            await FlushAsync().ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask<bool> FlushAsync()
    {
        try
        {
            // Only the connection's end stops a flush: half an event would be the next one's beginning.
            var read = await output.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            Interlocked.Exchange(ref _writtenAt, time.GetTimestamp());
            if (!read) exchange.Stop();
            return read && !Closed.IsCancellationRequested;
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or InvalidOperationException or ObjectDisposedException)
        {
            return false;
        }
    }
}
