namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>So many at once, and so many a second in the long run.</summary>
internal sealed class Bucket
{
    private readonly Lock _lock = new();
    private readonly double _capacity;
    private readonly double _perSecond;
    private readonly TimeProvider _time;
    private double _left;
    private long _at;

    public Bucket(double capacity, double perSecond, TimeProvider time)
    {
        _capacity = _left = capacity;
        _perSecond = perSecond;
        _time = time;
        _at = time.GetTimestamp();
    }

    /// <summary>Takes one, if there is one.</summary>
    public bool TryTake()
    {
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            _left = Math.Min(_capacity, _left + (_time.GetElapsedTime(_at, now).TotalSeconds * _perSecond));
            _at = now;
            if (_left < 1) return false;
            _left--;
            return true;
        }
    }
}
