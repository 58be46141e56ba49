using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// A response of this process: its events go to the journal first and then to whoever reads. The newest stay in memory; a reader that is slower gets the
/// older ones from the journal, so a stream of any length takes the same memory.
/// </summary>
internal sealed partial class ResponseRun : IResponseRun, IDisposable
{
    // So much of the newest is kept for readers that keep up.
    private const int WindowEvents = 256;
    private const int WindowBytes = 256 * 1024;

    private readonly Lock _gate = new();
    private readonly Queue<StreamEvent> _window = new();
    private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _cancel = new();
    private readonly ILogger _logger;
    private readonly ResponseJournal _journal;
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ReadOnlyMemory<byte> _snapshot;
    private StreamEvent? _terminal;
    private StreamEvent? _newest;
    private int _windowBytes;
    private long _first;
    private long _next;
    private bool _waitedFor;
    private bool _ended;
    private bool _left;
    private bool _broken;
    private ITimer? _abandonment;
    private TimeSpan _patience;
    private int _readers;

    public ResponseRun(JournalHeader header, ResponseState state, ResponseJournal journal, bool openAINames, ILogger logger)
    {
        Header = header;
        _journal = journal;
        _logger = logger;
        Machine = new ResponseMachine(state, Take) { OpenAIReasoningNames = openAINames };
    }

    /// <summary>One that goes on behind the events that it had when its host ended.</summary>
    public ResponseRun(JournalHeader header, LeftRun left, bool openAINames, ILogger logger)
    {
        Header = header;
        _journal = left.Journal;
        _logger = logger;
        Machine = ResponseMachine.Restore(left.Events, Take, openAINames);
        _first = _next = _woken = Machine.NextSequence;
        _snapshot = ItemJson.Snapshot(left.Events.Last(one => IsState(ResponseJournal.Parse(0, one).Type)));
    }

    /// <summary>Whose it is.</summary>
    public JournalHeader Header { get; }

    /// <summary>Its stream; used by the task that runs it alone.</summary>
    public ResponseMachine Machine { get; }

    /// <summary>Signalled when it is cancelled by its owner.</summary>
    public CancellationToken Cancelled => _cancel.Token;

    /// <inheritdoc/>
    public string Id => Header.Id;

    /// <inheritdoc/>
    public string Session => Header.Session;

    /// <inheritdoc/>
    public Task<ReadOnlyMemory<byte>> Completion => _completion.Task;

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> Snapshot
    {
        get { lock (_gate) return _snapshot; }
    }

    /// <inheritdoc/>
    public IReadOnlyList<ResponseItem>? Kept { get; set; }

    /// <inheritdoc/>
    public ResponseError? Failure => _completion.Task.IsCompletedSuccessfully ? Machine.State.Error : null;

    /// <summary>True when it was ended because nobody read it.</summary>
    public bool IsAbandoned { get; private set; }

    /// <summary>The response at its end; it isn't told before <see cref="Publish"/>.</summary>
    public ReadOnlyMemory<byte> Final => _terminal is { } terminal ? ItemJson.Snapshot(terminal.Json) : default;

    /// <inheritdoc/>
    public async ValueTask CancelAsync()
    {
        lock (_gate)
        {
            if (_ended) return;
        }

        await _cancel.CancelAsync().ConfigureAwait(false);
    }

    /// <summary>Ends it when nobody reads it for so long.</summary>
    public void Watch(TimeSpan patience, TimeProvider time)
    {
        lock (_gate)
        {
            _patience = patience;
            _abandonment = time.CreateTimer(
                static state => ((ResponseRun)state!).Abandon(),
                this,
                _readers == 0 ? patience : Timeout.InfiniteTimeSpan,
                Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Somebody has looked how far it is.</summary>
    public void Touch()
    {
        lock (_gate)
        {
            if (_readers == 0) _abandonment?.Change(_patience, Timeout.InfiniteTimeSpan);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> WaitAsync(CancellationToken cancellationToken)
    {
        Enter();
        try
        {
            return await Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Leave(1);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StreamEvent> ReadAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Enter();
        try
        {
            await foreach (var one in FollowAsync(after, cancellationToken).ConfigureAwait(false)) yield return one;
        }
        finally
        {
            Leave(1);
        }
    }

    private async IAsyncEnumerable<StreamEvent> FollowAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = Math.Max(0, after + 1);
        while (true)
        {
            StreamEvent? single = null;
            List<StreamEvent>? batch = null;
            Task? news = null;
            long inFile;
            lock (_gate)
            {
                inFile = _first;
                if (next >= _next)
                {
                    if (_ended) yield break;
                    if (_left) throw new OperationCanceledException("The host is stopping; the next one goes on.");
                    _waitedFor = true;
                    news = _news.Task;
                }
                else if (next == _next - 1 && _newest is not null)
                {
                    // Who keeps up gets one after another.
                    single = _newest;
                }
                else if (next >= _first)
                {
                    batch = new List<StreamEvent>((int)(_next - next));
                    foreach (var one in _window)
                    {
                        if (one.Sequence >= next) batch.Add(one);
                    }
                }
            }

            if (news is not null)
            {
                await news.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            else if (single is not null)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return single;
                next++;
            }
            else if (batch is not null)
            {
                foreach (var one in batch)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    yield return one;
                    next = one.Sequence + 1;
                }
            }
            else
            {
                if (_broken) throw new BridgeException(ErrorCodes.StoreUnavailable, "These events couldn't be kept; ask for the response itself.");
                await foreach (var one in _journal.ReadAsync(next, inFile, cancellationToken).ConfigureAwait(false))
                {
                    yield return one;
                    next = one.Sequence + 1;
                }
            }
        }
    }

    /// <summary>Wakes the readers, when there is something new; the running task calls it before it waits for anything.</summary>
    public void Wake()
    {
        TaskCompletionSource? news;
        lock (_gate)
        {
            if (!_waitedFor || (_woken == _next && !_ended && !_left)) return;
            _woken = _next;
            _waitedFor = false;
            news = _news;
            _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        news.SetResult();
    }

    /// <summary>Closes the journal: the response has ended.</summary>
    public void CloseJournal()
    {
        try
        {
            _journal.Close();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            LogJournalFailed(_logger, Id, fault.Message);
        }
    }

    /// <summary>Tells the end to the readers and to whoever waits for it.</summary>
    public void Publish()
    {
        lock (_gate)
        {
            Keep(_terminal!);
            _ended = true;
            _abandonment?.Dispose();
            _snapshot = ItemJson.Snapshot(_terminal!.Json);
        }

        Wake();
        _completion.TrySetResult(Snapshot);
    }

    /// <summary>Leaves it to the next host as it stands: its readers and who waits for its end hear of a cancellation.</summary>
    public void Leave()
    {
        _journal.Dispose();
        lock (_gate)
        {
            _left = true;
            _abandonment?.Dispose();
        }

        Wake();
        _completion.TrySetCanceled();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _abandonment?.Dispose();
        _journal.Dispose();
        _cancel.Dispose();
    }

    private long _woken;

    private void Enter()
    {
        lock (_gate)
        {
            if (_readers++ == 0) _abandonment?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void Leave(int readers)
    {
        lock (_gate)
        {
            _readers -= readers;
            if (_readers == 0 && !_ended) _abandonment?.Change(_patience, Timeout.InfiniteTimeSpan);
        }
    }

    private void Abandon()
    {
        lock (_gate)
        {
            // A reader may have come in this moment.
            if (_readers > 0 || _ended) return;
            IsAbandoned = true;
        }

        _cancel.Cancel();
    }

    private void Take(long sequence, string type, byte[] json)
    {
        var one = new StreamEvent(sequence, type, json);
        Record(json);
        if (one.IsTerminal)
        {
            // Told when it is durable.
            _terminal = one;
            return;
        }

        lock (_gate)
        {
            Keep(one);
            if (IsState(type)) _snapshot = ItemJson.Snapshot(json);
        }
    }

    private static bool IsState(string type) => type is ResponseEventTypes.Created or ResponseEventTypes.Queued or ResponseEventTypes.InProgress;

    private void Keep(StreamEvent one)
    {
        _window.Enqueue(one);
        _newest = one;
        _windowBytes += one.Json.Length;
        _next = one.Sequence + 1;
        while (_window.Count > WindowEvents || (_windowBytes > WindowBytes && _window.Count > 1))
        {
            var old = _window.Dequeue();
            _windowBytes -= old.Json.Length;
            _first = old.Sequence + 1;
        }
    }

    private void Record(byte[] json)
    {
        if (_broken) return;
        try
        {
            _journal.Append(json);
        }
        catch (IOException fault)
        {
            // The stream goes on; who falls behind can't catch up.
            _broken = true;
            LogJournalFailed(_logger, Id, fault.Message);
        }
    }

    [LoggerMessage(LogEvents.ResponseRunJournalFailed, LogLevel.Error, "The events of response {Id} can't be kept for replay: {Reason}")]
    private static partial void LogJournalFailed(ILogger logger, string id, string reason);
}
