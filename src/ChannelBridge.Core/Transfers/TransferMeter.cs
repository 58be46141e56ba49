namespace ChannelBridge.Core.Transfers;

/// <summary>How far a transfer is, how fast it goes, and how long it still takes: bytes of the last seconds, weighed by age.</summary>
internal sealed class TransferMeter(TimeProvider time, long total)
{
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private readonly long _started = time.GetTimestamp();
    private long _last = time.GetTimestamp();
    private long _told;
    private double _rate;
    private long _moved;
    private long _unrated;

    /// <summary>Bytes of the file.</summary>
    public long Total => total;

    /// <summary>Bytes that have moved since this began to look; what was there before isn't counted.</summary>
    public long Moved => Interlocked.Read(ref _moved);

    /// <summary>Bytes have moved. True about once a second: time to tell somebody.</summary>
    public bool Add(long bytes)
    {
        lock (_gate)
        {
            _moved += bytes;
            _unrated += bytes;
            var elapsed = time.GetElapsedTime(_last);
            if (elapsed > TimeSpan.FromMilliseconds(200))
            {
                var weight = 1 - Math.Exp(-elapsed / Memory);
                _rate = _rate == 0 ? _unrated / elapsed.TotalSeconds : _rate + (weight * ((_unrated / elapsed.TotalSeconds) - _rate));
                _unrated = 0;
                _last = time.GetTimestamp();
            }

            if (_told != 0 && time.GetElapsedTime(_told) < TimeSpan.FromSeconds(1)) return false;
            _told = time.GetTimestamp();
            return true;
        }
    }

    /// <summary>Bytes per second.</summary>
    public double Rate
    {
        get
        {
            lock (_gate)
            {
                if (_rate > 0) return _rate;
                var elapsed = time.GetElapsedTime(_started).TotalSeconds;
                return elapsed > 0 ? _moved / elapsed : 0;
            }
        }
    }

    /// <summary>How long the rest takes at this rate; null while nobody can say.</summary>
    /// <param name="done">Bytes that are there.</param>
    public TimeSpan? Left(long done)
    {
        var rate = Rate;
        if (done >= total) return TimeSpan.Zero;
        return rate > 1 ? TimeSpan.FromSeconds(Math.Min((total - done) / rate, 3.15e8)) : null;
    }
}
