using System.Globalization;

namespace ChannelBridge.Host.Terminal;

/// <summary>
/// Tells on standard error how far long work has come: in place at a terminal, a line every ten seconds elsewhere. Work that says nothing of itself is
/// told by the time that it has taken.
/// </summary>
internal sealed class WorkProgress : IProgress<long>, IProgress<(long Done, long Total)>, IDisposable
{
    private static readonly TimeSpan AtTerminal = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Elsewhere = TimeSpan.FromSeconds(10);

    private readonly string _what;
    private readonly bool _bytes;
    private readonly bool _terminal = !Console.IsErrorRedirected;
    private readonly long _started = Environment.TickCount64;
    private readonly Lock _gate = new();
    private readonly Timer _timer;
    private long _done;
    private long _total;
    private bool _shown;
    private bool _ended;

    /// <param name="what">What is being done, e.g. <c>exporting</c>.</param>
    /// <param name="bytes">True: what is counted are bytes.</param>
    public WorkProgress(string what, bool bytes = false)
    {
        _what = what;
        _bytes = bytes;
        var interval = _terminal ? AtTerminal : Elsewhere;
        _timer = new Timer(_ => Show(), null, interval, interval);
    }

    /// <summary>What was counted last.</summary>
    public long Count => Volatile.Read(ref _done);

    /// <inheritdoc/>
    public void Report(long value) => Volatile.Write(ref _done, value);

    /// <inheritdoc/>
    public void Report((long Done, long Total) value)
    {
        Volatile.Write(ref _done, value.Done);
        Volatile.Write(ref _total, value.Total);
    }

    /// <summary>Says something beside it.</summary>
    public void Note(string text)
    {
        lock (_gate)
        {
            Clear();
            Console.Error.WriteLine(PlainText.Line(text));
        }
    }

    /// <summary>Takes it away: what comes now is the result.</summary>
    public void End()
    {
        lock (_gate)
        {
            if (_ended) return;
            _ended = true;
            Clear();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        End();
        _timer.Dispose();
    }

    private void Show()
    {
        lock (_gate)
        {
            if (_ended) return;
            var time = Units.Duration(TimeSpan.FromMilliseconds(Environment.TickCount64 - _started));
            var line = $"{_what}: {Amount()}{time}";
            if (_terminal) Console.Error.Write($"\r\u001b[K{line}");
            else Console.Error.WriteLine(line);
            _shown = _terminal;
        }
    }

    private string Amount()
    {
        var (done, total) = (Volatile.Read(ref _done), Volatile.Read(ref _total));
        if (total > 0)
        {
            var share = Math.Min(99, 100 * done / total).ToString(CultureInfo.InvariantCulture);
            return _bytes ? $"{share} % of {Units.Bytes(total)}, " : $"{share} %, ";
        }

        return done == 0 ? "" : $"{done.ToString(CultureInfo.InvariantCulture)} rows, ";
    }

    private void Clear()
    {
        if (_shown) Console.Error.Write("\r\u001b[K");
        _shown = false;
    }
}
