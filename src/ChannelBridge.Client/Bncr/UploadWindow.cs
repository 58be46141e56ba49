namespace ChannelBridge.Client.Bncr;

/// <summary>
/// How many chunks may be under way: four at first, one more with each that is confirmed; from half of the most on only one more a round. Half as many after
/// a failure, and when a confirmation comes late, at most once a round: a line that is full answers later, not faster.
/// </summary>
/// <param name="most">The most.</param>
/// <param name="time">The clock.</param>
internal sealed class UploadWindow(int most, TimeProvider time)
{
    private const int First = 4;
    private const int LateFactor = 4;
    private static readonly TimeSpan NeverLate = TimeSpan.FromSeconds(1);
    private readonly Lock _gate = new();
    private readonly int _most = Math.Max(1, most);
    private double _size = Math.Clamp(First, 1, Math.Max(1, most));
    private TimeSpan _quickest = TimeSpan.MaxValue;
    private long _shrunkAt = time.GetTimestamp();

    /// <summary>So many at the same time now.</summary>
    public int Size
    {
        get
        {
            lock (_gate) return (int)_size;
        }
    }

    /// <summary>A chunk that was sent at that moment is confirmed.</summary>
    public void Confirmed(long sentAt)
    {
        lock (_gate)
        {
            var took = time.GetElapsedTime(sentAt);
            if (took < _quickest) _quickest = took;
            if (took <= NeverLate || took <= _quickest * LateFactor) _size = Math.Min(_most, _size + (_size < _most / 2.0 ? 1 : 1 / _size));
            else if (sentAt > _shrunkAt) Halve();
        }
    }

    /// <summary>One failed, or the connection is gone.</summary>
    public void Shrink()
    {
        lock (_gate) Halve();
    }

    private void Halve()
    {
        _size = Math.Max(1, _size / 2);
        _shrunkAt = time.GetTimestamp();
    }
}
