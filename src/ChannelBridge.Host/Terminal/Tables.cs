using Spectre.Console;

namespace ChannelBridge.Host.Terminal;

/// <summary>
/// Tables as every command writes them: with a line under the headings at a terminal; plain text in columns, of any width and without
/// colours, where a program reads.
/// </summary>
internal static class Tables
{
    // Wider than any table: a pipe has no edge.
    private const int PipeWidth = 4000;

    /// <summary>Standard output.</summary>
    public static IAnsiConsole Output()
    {
        if (!Console.IsOutputRedirected) return AnsiConsole.Console;
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Ansi = AnsiSupport.No,
                ColorSystem = ColorSystemSupport.NoColors,
                Out = new AnsiConsoleOutput(Console.Out)
            });
        console.Profile.Width = PipeWidth;
        return console;
    }

    /// <summary>A console that keeps what is written to it, as the terminal would show it.</summary>
    public static IAnsiConsole Buffer(StringWriter output)
    {
        var terminal = AnsiConsole.Console.Profile;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal.Capabilities.Ansi ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = (ColorSystemSupport)terminal.Capabilities.ColorSystem,
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = terminal.Width;
        return console;
    }

    /// <summary>An empty table.</summary>
    /// <param name="columns">The headings; one that begins with <c>!</c> is of a column whose content is never broken, such as an
    /// id.</param>
    public static Table New(params ReadOnlySpan<string> columns)
    {
        var table = new Table().Border(Console.IsOutputRedirected ? TableBorder.None : TableBorder.Simple);
        foreach (var column in columns)
        {
            var whole = column.StartsWith('!');
            var made = new TableColumn(Markup.Escape(whole ? column[1..] : column));
            table.AddColumn(whole ? made.NoWrap() : made);
        }

        return table;
    }
}
