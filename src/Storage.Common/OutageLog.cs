namespace ChannelBridge.Storage.Common;

/// <summary>Says when an outage is worth a line: at its beginning, once a minute while it lasts, and at its end. On any thread.</summary>
internal sealed class OutageLog(TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private bool _failing;
    private long _since;
    private long _told;

    /// <summary>For how long it has been failing; zero when it works.</summary>
    public TimeSpan Lasting
    {
        get
        {
            lock (_gate) return _failing ? time.GetElapsedTime(_since) : TimeSpan.Zero;
        }
    }

    /// <summary>Something failed; true when that is to be logged.</summary>
    public bool Failed()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_failing && time.GetElapsedTime(_told, now) < Pause) return false;
            if (!_failing) _since = now;
            _failing = true;
            _told = now;
            return true;
        }
    }

    /// <summary>It worked; true when it hadn't before.</summary>
    public bool Succeeded()
    {
        lock (_gate)
        {
            if (!_failing) return false;
            _failing = false;
            return true;
        }
    }
}
