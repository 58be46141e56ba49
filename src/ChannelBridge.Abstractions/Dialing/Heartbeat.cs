namespace ChannelBridge.Abstractions.Dialing;

/// <summary>
/// Counts pings that nothing answered. Whatever arrives counts as an answer: a broker that is busy sending need not be asked whether it lives.
/// </summary>
/// <param name="maxMissed">So many pings in a row without an answer, and the connection is dead.</param>
/// <param name="threshold">So long without anything, and it is dead, too; zero for no such bound.</param>
/// <param name="time">The clock.</param>
public sealed class Heartbeat(int maxMissed, TimeSpan threshold, TimeProvider time)
{
    private long _heardAt = time.GetTimestamp();
    private int _heard;
    private bool _asked;

    /// <summary>Pings in a row without an answer.</summary>
    public int Missed { get; private set; }

    /// <summary>Since when nothing has arrived.</summary>
    public TimeSpan Silence => time.GetElapsedTime(Volatile.Read(ref _heardAt));

    /// <summary>Something has arrived. Called from the reading loop.</summary>
    public void Heard()
    {
        Volatile.Write(ref _heardAt, time.GetTimestamp());
        Volatile.Write(ref _heard, 1);
    }

    /// <summary>The interval is over. True: send a ping; false: the connection is dead.</summary>
    public bool Beat()
    {
        if (Interlocked.Exchange(ref _heard, 0) != 0) Missed = 0;
        else if (_asked) Missed++;
        if (Missed >= maxMissed || (threshold > TimeSpan.Zero && Silence >= threshold)) return false;
        _asked = true;
        return true;
    }
}
