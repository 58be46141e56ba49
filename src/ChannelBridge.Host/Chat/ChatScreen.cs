using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Chat;

/// <summary>
/// The terminal of a chat: what was said stands above, below it at most one line that changes (the answer as it grows, or what is waited for),
/// and the line that is being typed. Without a terminal that can go back to a line's beginning, lines are only written one after the other.
/// </summary>
internal sealed class ChatScreen(IAnsiConsole console, LineInput input)
{
    private const string Prompt = "you> ";
    private readonly Lock _gate = new();
    private string _status = "";
    private bool _statusShown;
    private bool _drawn;
    private bool _closed;

    /// <summary>True when lines can be drawn anew.</summary>
    public bool IsLive { get; } = console.Profile.Capabilities.Ansi && console.Profile.Out.IsTerminal;

    /// <summary>The columns that a line may take.</summary>
    public int Columns => Math.Max(20, console.Profile.Width - 1);

    /// <summary>Writes a line (with markup) above the one that is being typed.</summary>
    public void Say(string markup)
    {
        lock (_gate)
        {
            Erase();
            console.MarkupLine(markup);
            Draw();
        }
    }

    /// <summary>Changes the line above the one that is being typed; empty for none.</summary>
    public void SetStatus(string text)
    {
        lock (_gate)
        {
            if (_status == text) return;
            Erase();
            _status = text;
            Draw();
        }
    }

    /// <summary>Draws the line that is being typed, after a key.</summary>
    public void Redraw()
    {
        lock (_gate)
        {
            Erase();
            Draw();
        }
    }

    /// <summary>Leaves the line that was entered where it stands, and begins the next one.</summary>
    public string Enter()
    {
        lock (_gate)
        {
            Erase();
            var line = input.Finish();
            if (IsLive) console.MarkupLine($"[bold green]{Prompt}[/]{Markup.Escape(PlainText.Line(line))}");
            Draw();
            return line;
        }
    }

    /// <summary>Takes the changing lines away for good.</summary>
    public void Close()
    {
        lock (_gate)
        {
            Erase();
            _closed = true;
        }
    }

    private void Erase()
    {
        if (!_drawn) return;
        console.Write(new ControlCode(_statusShown ? "\r\u001b[2K\u001b[1A\u001b[2K" : "\r\u001b[2K"));
        _drawn = false;
    }

    private void Draw()
    {
        if (!IsLive || _closed) return;
        _statusShown = _status.Length > 0;
        if (_statusShown) console.MarkupLine($"[grey]{Markup.Escape(TextWidth.Tail(_status, Columns))}[/]");
        var (shown, column) = input.View(Columns - Prompt.Length);
        console.Markup($"[bold green]{Prompt}[/]{Markup.Escape(shown)}");
        console.Write(new ControlCode($"\r\u001b[{Prompt.Length + column}C"));
        _drawn = true;
    }
}
