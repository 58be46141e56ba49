using System.Globalization;
using ChannelBridge.Client.Bncr;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>
/// A progress bar on the terminal: name, bar, bytes, rate, time left. On the error output, so that a result can be piped; nothing where that is no
/// terminal. Drawn at most ten times a second.
/// </summary>
internal sealed class FileProgressBar : IProgress<BncrFileProgress>, IDisposable
{
    private const int Width = 30;
    private readonly Lock _gate = new();
    private readonly IAnsiConsole? _console = Console.IsErrorRedirected
        ? null
        : AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
    private long _drawnAt;
    private bool _drawn;

    /// <inheritdoc/>
    public void Report(BncrFileProgress value)
    {
        if (_console is null) return;
        lock (_gate)
        {
            var now = Environment.TickCount64;
            if (_drawn && now - _drawnAt < 100 && value.Bytes < value.TotalBytes) return;
            _drawnAt = now;
            _drawn = true;
            _console.Write(new ControlCode("\r\u001b[K"));
            _console.Write(new Markup(Line(value)));
        }
    }

    /// <summary>Takes the bar away.</summary>
    public void Clear()
    {
        if (_console is null) return;
        lock (_gate)
        {
            if (_drawn) _console.Write(new ControlCode("\r\u001b[K"));
            _drawn = false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Clear();

    private static string Line(BncrFileProgress value)
    {
        var share = value.TotalBytes == 0 ? 1 : Math.Clamp((double)value.Bytes / value.TotalBytes, 0, 1);
        var full = (int)(share * Width);
        var name = value.FileName.Length > 24 ? value.FileName[..23] + "…" : value.FileName;
        var left = value.Left is { } time ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours:00}:{time.Minutes:00}:{time.Seconds:00} left") : "";
        return $"{Markup.Escape(name)} [green]{new string('━', full)}[/][grey]{new string('━', Width - full)}[/] {share * 100:0} % "
            + $"[grey]{Bytes(value.Bytes)} of {Bytes(value.TotalBytes)}, {Bytes((long)value.BytesPerSecond)}/s {left}[/]";
    }

    private static string Bytes(long bytes) => bytes switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.00} GiB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MiB"),
        >= 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 10):0.0} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
    };
}
