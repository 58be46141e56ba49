using System.Globalization;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Terminal;
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
        var clean = PlainText.Line(value.FileName);
        var name = TextWidth.Of(clean) > 24 ? TextWidth.Head(clean, 23) + "…" : clean;
        var left = value.Left is { } time ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours:00}:{time.Minutes:00}:{time.Seconds:00} left") : "";
        return $"{Markup.Escape(name)} [green]{new string('━', full)}[/][grey]{new string('━', Width - full)}[/] {share * 100:0} % "
            + $"[grey]{Units.Bytes(value.Bytes)} of {Units.Bytes(value.TotalBytes)}, {Units.Bytes((long)value.BytesPerSecond)}/s {left}[/]";
    }
}
