using System.Diagnostics.CodeAnalysis;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Endpoints.Buffers;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>What became of a message that was given to an <see cref="OutgoingQueue"/>.</summary>
internal enum EnqueueOutcome
{
    /// <summary>It will be sent, in the order of the calls.</summary>
    Enqueued,

    /// <summary>The connection is closing or closed.</summary>
    Closed,

    /// <summary>The bound on waiting bytes is reached.</summary>
    Full,
}

/// <summary>
/// The way out of one connection: ordered, bounded by bytes, written by one writer at a time. Whoever adds a message to an idle queue writes it; what
/// is added while that write runs goes out together in the next one. While the reader of the connection works through a burst it corks the queue,
/// so that the answers of the burst leave together too.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has neither timer nor wait handle.")]
internal sealed class OutgoingQueue(MessageTransport transport, long maxBytes, MemoryBudget budget, Action<Exception> onFault)
{
    // What every connection may have waiting without asking; beyond it all of them share a budget.
    private const long FreeBytes = 16 * 1024;

    // A round must end some time, or the first message of it waits for the last one of a long queue.
    private const int MaxRoundBytes = 256 * 1024;
    private const int UncorkBytes = 64 * 1024;

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private Queue<OutgoingMessage> _waiting = new();
    private readonly List<OutgoingMessage> _round = [];
    private TaskCompletionSource? _idle;
    private TaskCompletionSource? _below;
    private long _belowBytes;
    private long _bytes;
    private long _taken;
    private long _rounds;
    private bool _writing;
    private bool _corked;
    private bool _closed;

    /// <summary>How many rounds have been written: it stands still while a slow reader reads nothing.</summary>
    public long Rounds => Interlocked.Read(ref _rounds);

    /// <summary>Bytes that wait, those being written included.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>
    /// Adds a message; it belongs to the queue then, unless the outcome says otherwise.
    /// </summary>
    /// <param name="message">The message.</param>
    /// <param name="number">Called under the lock, so that what it writes has the order of the queue; may be null.</param>
    /// <param name="isOwed">True for an answer, which isn't refused because others have taken the shared memory: its request was taken.</param>
    public EnqueueOutcome TryEnqueue(OutgoingMessage message, Action<OutgoingMessage>? number = null, bool isOwed = false)
    {
        lock (_gate)
        {
            if (_closed) return EnqueueOutcome.Closed;
            if (_bytes > 0 && _bytes + message.Length > maxBytes) return EnqueueOutcome.Full;
            if (_bytes + message.Length > FreeBytes && !TryTake(_bytes + message.Length, isOwed || _bytes == 0)) return EnqueueOutcome.Full;
            number?.Invoke(message);
            _waiting.Enqueue(message);
            _bytes += message.Length;
            if (_writing || (_corked && _bytes < UncorkBytes)) return EnqueueOutcome.Enqueued;
            _writing = true;
        }

        _ = WriteAsync();
        return EnqueueOutcome.Enqueued;
    }

    /// <summary>Holds messages back until <see cref="Uncork"/>.</summary>
    public void Cork() => Volatile.Write(ref _corked, true);

    /// <summary>Lets messages go.</summary>
    public void Uncork()
    {
        if (!_corked) return;
        lock (_gate)
        {
            _corked = false;
            if (_writing || _waiting.Count == 0) return;
            _writing = true;
        }

        _ = WriteAsync();
    }

    /// <summary>Completes when fewer than so many bytes wait, or the queue is closed. One caller at a time.</summary>
    public Task BelowAsync(long bytes)
    {
        lock (_gate)
        {
            if (_closed || _bytes < bytes) return Task.CompletedTask;
            _belowBytes = bytes;
            _below = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _below.Task;
        }
    }

    /// <summary>Takes no more messages. The task completes when everything that was waiting is sent or given up.</summary>
    public Task CloseAsync()
    {
        lock (_gate)
        {
            _closed = true;
            _corked = false;
            _below?.TrySetResult();
            if (_writing) return (_idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            if (_waiting.Count == 0) return Task.CompletedTask;
            _writing = true;
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _ = WriteAsync();
        return _idle.Task;
    }

    /// <summary>Gives up what is waiting.</summary>
    public void Abandon()
    {
        List<OutgoingMessage> lost;
        lock (_gate)
        {
            _closed = true;
            lost = [.. _waiting];
            _waiting.Clear();
            foreach (var message in lost) _bytes -= message.Length;
            GiveBack();
            _below?.TrySetResult();
        }

        _stop.Cancel();
        Finish(lost, PushOutcome.Gone);
    }

    private async Task WriteAsync()
    {
        while (true)
        {
            long bytes = 0;
            lock (_gate)
            {
                while (_waiting.Count > 0 && bytes < MaxRoundBytes)
                {
                    var next = _waiting.Dequeue();
                    bytes += next.Length;
                    _round.Add(next);
                }

                if (_round.Count == 0)
                {
                    // A burst may have left a long, empty queue behind.
                    if (_waiting.Capacity > 1024) _waiting = new Queue<OutgoingMessage>();
                    _writing = false;
                    _idle?.TrySetResult();
                    return;
                }
            }

            var outcome = PushOutcome.Flushed;
            try
            {
                await transport.SendAsync(_round, _stop.Token).ConfigureAwait(false);
            }
            catch (Exception fault)
            {
                outcome = PushOutcome.Gone;
                lock (_gate) _closed = true;
                if (fault is not OperationCanceledException) onFault(fault);
            }

            lock (_gate)
            {
                _bytes -= bytes;
                GiveBack();
                _rounds++;
                if (_below is not null && (_bytes < _belowBytes || _closed))
                {
                    _below.TrySetResult();
                    _below = null;
                }
            }

            Finish(_round, outcome);
            _round.Clear();
        }
    }

    // Under the lock, like its counterpart.
    private bool TryTake(long bytes, bool isOwed)
    {
        var more = bytes - FreeBytes - _taken;
        if (more <= 0) return true;
        if (isOwed) budget.Give(-more);
        else if (!budget.TryTake(more)) return false;
        _taken += more;
        return true;
    }

    private void GiveBack()
    {
        var unused = _taken - Math.Max(0, _bytes - FreeBytes);
        if (unused <= 0) return;
        budget.Give(unused);
        _taken -= unused;
    }

    private static void Finish(List<OutgoingMessage> messages, PushOutcome outcome)
    {
        foreach (var message in messages)
        {
            var waiter = message.Flushed;
            message.Return();
            waiter?.TrySetResult(outcome);
        }
    }
}
