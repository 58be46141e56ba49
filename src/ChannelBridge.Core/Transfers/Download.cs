using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Core.Transfers;

/// <summary>How many chunks may be under way: one more with each confirmation, half as many after a failure.</summary>
internal sealed class SendWindow(int first, int most)
{
    private double _size = Math.Min(first, most);

    public int Size => (int)_size;

    public void Grow() => _size = Math.Min(most, _size + (_size < most / 2.0 ? 1 : 1 / _size));

    public void Shrink() => _size = Math.Max(1, _size / 2);
}

/// <summary>A file on its way to a client: what is confirmed, what is under way, and what the client has said.</summary>
internal sealed class Download(string key, FileOffer offer, IFileSink sink, ChunkMap confirmed, int round, TransferMeter meter, bool resumed)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<int, (long SentAt, int Tries)> _underWay = [];
    private readonly Queue<int> _again = new();
    private readonly Dictionary<string, FileAck> _answers = [];
    private readonly Dictionary<int, int> _tries = [];
    private TaskCompletionSource _signal = NewSignal();
    private ChunkMap _confirmed = confirmed;
    private int _next;
    private int _round = round;
    private int _newlyConfirmed;
    private bool _awaitsStage;
    private bool _failed;
    private string? _aborted;

    /// <summary>The key of its record.</summary>
    public string Key => key;

    public FileOffer Offer => offer;

    public IFileSink Sink => sink;

    public string Account => offer.Message.AccountId;

    public TransferMeter Meter => meter;

    /// <summary>True when some of it was confirmed on an earlier connection.</summary>
    public bool Resumed => resumed;

    /// <summary>Chunks confirmed since it was last noted.</summary>
    public int Unsaved { get; private set; }

    /// <summary>True once about each second.</summary>
    public bool MeterDue { get; private set; }

    /// <summary>Acks that the client owes: of chunks under way, or of the file's beginning or end.</summary>
    public int AwaitingAcks
    {
        get
        {
            lock (_gate) return _underWay.Count + (_awaitsStage ? 1 : 0);
        }
    }

    public bool IsConfirmed
    {
        get
        {
            lock (_gate) return _confirmed.IsFull;
        }
    }

    public long ConfirmedBytes
    {
        get
        {
            lock (_gate) return Math.Min(offer.File.Size, (long)_confirmed.Present * offer.ChunkSize);
        }
    }

    public int SizeOf(int index) => (int)Math.Min(offer.ChunkSize, offer.File.Size - ((long)index * offer.ChunkSize));

    /// <summary>The client has these chunks, and no others.</summary>
    public void Begin(IReadOnlyList<(int First, int Last)> has)
    {
        lock (_gate)
        {
            _confirmed = new ChunkMap(offer.TotalChunks);
            foreach (var (first, last) in has)
            {
                for (var i = Math.Max(0, first); i <= Math.Min(last, offer.TotalChunks - 1); i++) _confirmed.Add(i);
            }
        }
    }

    /// <summary>Takes the client's word; false when it says nothing new.</summary>
    public bool Take(FileAck ack)
    {
        lock (_gate)
        {
            var counts = ack.Stage is "chunk" ? TakeChunk(ack) : _answers.TryAdd(ack.Stage, ack);
            if (ack.Stage is "abort") _aborted = ack.Error ?? "the client gave it up";
            _signal.TrySetResult();
            return counts;
        }
    }

    /// <summary>An ack of the beginning or the end is awaited until this is disposed of.</summary>
    public IDisposable AwaitStage()
    {
        lock (_gate) _awaitsStage = true;
        return new StageWait(this);
    }

    /// <summary>What the client said to this stage, or null.</summary>
    /// <exception cref="BridgeException">The client gave the transfer up.</exception>
    public FileAck? Answer(string stage)
    {
        lock (_gate)
        {
            ThrowIfAborted();
            return _answers.GetValueOrDefault(stage);
        }
    }

    /// <summary>Looks at what has been confirmed and what is late.</summary>
    /// <exception cref="BridgeException">A chunk failed too often, or the client gave the transfer up.</exception>
    public void Review(SendWindow window, TimeProvider time, DownloadOptions options)
    {
        lock (_gate)
        {
            ThrowIfAborted();
            for (; _newlyConfirmed > 0; _newlyConfirmed--) window.Grow();
            if (_failed) window.Shrink();
            _failed = false;
            List<int>? late = null;
            foreach (var (index, (sentAt, _)) in _underWay)
            {
                if (time.GetElapsedTime(sentAt) >= options.AckTimeout) (late ??= []).Add(index);
            }

            foreach (var index in late ?? [])
            {
                _underWay.Remove(index);
                _again.Enqueue(index);
                window.Shrink();
            }

            foreach (var (index, tries) in _tries)
            {
                if (tries < options.MaxTries || _underWay.ContainsKey(index) || _confirmed[index]) continue;
                throw Downloads.Late(this, "file-chunk-timeout", $"chunk {index} wasn't confirmed after {tries} tries");
            }
        }
    }

    /// <summary>A chunk to send, or null: none is missing that isn't under way, or enough are.</summary>
    public int? NextToSend(int window)
    {
        lock (_gate)
        {
            if (_underWay.Count >= window) return null;
            while (_again.TryDequeue(out var index))
            {
                if (!_confirmed[index] && !_underWay.ContainsKey(index)) return index;
            }

            while (_next >= 0 && (_next = _confirmed.Next(_next, present: false)) >= 0)
            {
                var index = _next++;
                if (!_underWay.ContainsKey(index)) return index;
            }

            return null;
        }
    }

    public void NoteSent(int index, long now)
    {
        lock (_gate)
        {
            _tries[index] = _tries.GetValueOrDefault(index) + 1;
            _underWay[index] = (now, _tries[index]);
        }
    }

    /// <summary>Waits until the client has said something, at most so long.</summary>
    public async Task WaitAsync(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        Task signal;
        lock (_gate) signal = _signal.Task;
        await signal.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_signal.Task.IsCompleted) _signal = NewSignal();
        }
    }

    public void Wake()
    {
        lock (_gate) _signal.TrySetResult();
    }

    /// <summary>Everything is to be sent again, under another id.</summary>
    public void StartOver()
    {
        lock (_gate)
        {
            _confirmed = new ChunkMap(offer.TotalChunks);
            _round++;
        }
    }

    public TransferStatus Describe()
    {
        lock (_gate)
        {
            var bytes = Math.Min(offer.File.Size, (long)_confirmed.Present * offer.ChunkSize);
            return new TransferStatus
            {
                TransferId = offer.TransferId,
                State = "open",
                Duplicate = true,
                FileSize = offer.File.Size,
                ChunkSize = offer.ChunkSize,
                TotalChunks = offer.TotalChunks,
                Received = _confirmed.Present,
                ReceivedBytes = bytes,
                Missing = _confirmed.Ranges(present: false, TransferStatus.MaxRanges),
                Arrived = _confirmed.Ranges(present: true, TransferStatus.MaxRanges),
                Rate = meter.Rate,
                Left = meter.Left(bytes),
            };
        }
    }

    public DownloadRecord ToRecord()
    {
        lock (_gate)
        {
            Unsaved = 0;
            return new DownloadRecord
            {
                TransferId = offer.TransferId,
                Sha256 = offer.File.Sha256 ?? "",
                ChunkSize = offer.ChunkSize,
                TotalChunks = offer.TotalChunks,
                Confirmed = _confirmed.ToBytes(),
                Round = _round,
            };
        }
    }

    private bool TakeChunk(FileAck ack)
    {
        if (ack.ChunkIndex is not { } index || index < 0 || index >= offer.TotalChunks) return false;
        if (!ack.Ok)
        {
            if (!_underWay.Remove(index)) return false;
            _again.Enqueue(index);
            _failed = true;
            return true;
        }

        _underWay.Remove(index);
        _tries.Remove(index);
        if (!_confirmed.Add(index)) return false;
        _newlyConfirmed++;
        Unsaved++;
        MeterDue = meter.Add(SizeOf(index));
        return true;
    }

    private void ThrowIfAborted()
    {
        if (_aborted is null) return;
        throw new BridgeException(ErrorCodes.Cancelled, $"the client gave file transfer {offer.TransferId} up: {_aborted}")
        {
            Details = new System.Text.Json.Nodes.JsonObject { ["reason"] = "file-aborted" },
        };
    }

    private sealed class StageWait(Download download) : IDisposable
    {
        public void Dispose()
        {
            lock (download._gate) download._awaitsStage = false;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
