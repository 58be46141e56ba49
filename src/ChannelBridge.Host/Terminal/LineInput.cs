using System.Globalization;
using System.Text;

namespace ChannelBridge.Host.Terminal;

/// <summary>What a key has done to the line.</summary>
internal enum LineResult
{
    /// <summary>The line may look different.</summary>
    Edited,

    /// <summary>Enter: the line is whole.</summary>
    Entered,

    /// <summary>Ctrl+D on an empty line: the input ends.</summary>
    Ended,
}

/// <summary>
/// A line that is being typed, with the usual keys and the lines before it. Knows no terminal: it is told keys and says what to show.
/// </summary>
internal sealed class LineInput
{
    private const int MostKept = 500;
    private readonly StringBuilder _text = new();
    private readonly List<string> _history = [];
    private int _cursor;
    private int _shown;
    private string _draft = "";

    /// <summary>The line so far.</summary>
    public string Text => _text.ToString();

    /// <summary>Takes a key.</summary>
    public LineResult Take(ConsoleKeyInfo key)
    {
        var control = (key.Modifiers & ConsoleModifiers.Control) != ConsoleModifiers.None;
        switch (key.Key)
        {
            case ConsoleKey.Enter:
                return LineResult.Entered;
            case ConsoleKey.D when control && _text.Length == 0:
                return LineResult.Ended;
            case ConsoleKey.H when control:
            case ConsoleKey.Backspace:
                Remove(control && key.Key == ConsoleKey.Backspace ? WordStart() : Before());
                break;
            case ConsoleKey.Delete:
            case ConsoleKey.D when control:
                var end = After();
                _text.Remove(_cursor, end - _cursor);
                break;
            case ConsoleKey.LeftArrow:
                _cursor = control ? WordStart() : Before();
                break;
            case ConsoleKey.RightArrow:
                _cursor = control ? WordEnd() : After();
                break;
            case ConsoleKey.Home:
            case ConsoleKey.A when control:
                _cursor = 0;
                break;
            case ConsoleKey.End:
            case ConsoleKey.E when control:
                _cursor = _text.Length;
                break;
            case ConsoleKey.U when control:
                Remove(0);
                break;
            case ConsoleKey.K when control:
                _text.Length = _cursor;
                break;
            case ConsoleKey.W when control:
                Remove(WordStart());
                break;
            case ConsoleKey.UpArrow:
            case ConsoleKey.P when control:
                Recall(_shown - 1);
                break;
            case ConsoleKey.DownArrow:
            case ConsoleKey.N when control:
                Recall(_shown + 1);
                break;
            default:
                if (!control && (!char.IsControl(key.KeyChar) || key.KeyChar == '\t')) _text.Insert(_cursor++, key.KeyChar == '\t' ? ' '
                    : key.KeyChar);
                break;
        }

        return LineResult.Edited;
    }

    /// <summary>Takes the finished line; the next one begins empty.</summary>
    public string Finish()
    {
        var line = Text;
        if (line.Trim().Length > 0 && (_history.Count == 0 || _history[^1] != line)) _history.Add(line);
        if (_history.Count > MostKept) _history.RemoveAt(0);
        _text.Clear();
        (_cursor, _shown, _draft) = (0, _history.Count, "");
        return line;
    }

    /// <summary>What fits into so many columns, and the column of the cursor in it.</summary>
    public (string Shown, int Column) View(int columns)
    {
        var text = Text;
        var before = TextWidth.Tail(text[.._cursor], Math.Max(1, columns - 1));
        var column = TextWidth.Of(before);
        return (before + TextWidth.Head(text[_cursor..], columns - column), column);
    }

    private void Recall(int index)
    {
        if (index < 0 || index > _history.Count) return;
        if (_shown == _history.Count) _draft = Text;
        _shown = index;
        _text.Clear().Append(index == _history.Count ? _draft : _history[index]);
        _cursor = _text.Length;
    }

    private void Remove(int from)
    {
        _text.Remove(from, _cursor - from);
        _cursor = from;
    }

    private int Before()
    {
        var starts = StringInfo.ParseCombiningCharacters(Text[.._cursor]);
        return starts.Length == 0 ? 0 : starts[^1];
    }

    private int After() => _cursor + (_cursor < _text.Length ? StringInfo.GetNextTextElementLength(Text.AsSpan(_cursor)) : 0);

    private int WordStart()
    {
        var at = _cursor;
        while (at > 0 && char.IsWhiteSpace(_text[at - 1])) at--;
        while (at > 0 && !char.IsWhiteSpace(_text[at - 1])) at--;
        return at;
    }

    private int WordEnd()
    {
        var at = _cursor;
        while (at < _text.Length && char.IsWhiteSpace(_text[at])) at++;
        while (at < _text.Length && !char.IsWhiteSpace(_text[at])) at++;
        return at;
    }
}
