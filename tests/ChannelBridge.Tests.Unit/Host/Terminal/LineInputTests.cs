using ChannelBridge.Host.Chat;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Tests.Unit.Host.Terminal;

public sealed class LineInputTests
{
    private readonly LineInput _line = new();

    private void Type(string text)
    {
        foreach (var c in text) Assert.Equal(LineResult.Edited, _line.Take(new ConsoleKeyInfo(c, ConsoleKey.None, false, false, false)));
    }

    private LineResult Press(ConsoleKey key, bool control = false) => _line.Take(new ConsoleKeyInfo('\0', key, false, false, control));

    [Fact]
    public void Keys_EditTheLineWhereTheCursorIs()
    {
        Type("helo wörld");
        for (var i = 0; i < 7; i++) Press(ConsoleKey.LeftArrow);
        Type("l");
        Assert.Equal("hello wörld", _line.Text);
        Press(ConsoleKey.End);
        Press(ConsoleKey.W, control: true);
        Assert.Equal("hello ", _line.Text);
        Press(ConsoleKey.U, control: true);
        Assert.Equal("", _line.Text);
    }

    [Fact]
    public void Backspace_TakesAWholeCharacter()
    {
        Type("a👩\u200D👩");
        Press(ConsoleKey.Backspace);
        Assert.Equal("a", _line.Text);
        Type("日");
        Press(ConsoleKey.Backspace);
        Press(ConsoleKey.Backspace);
        Press(ConsoleKey.Backspace);
        Assert.Equal("", _line.Text);
    }

    [Fact]
    public void History_BringsLinesBackAndKeepsTheDraft()
    {
        Type("one");
        Assert.Equal(LineResult.Entered, Press(ConsoleKey.Enter));
        Assert.Equal("one", _line.Finish());
        Type("two");
        Assert.Equal("two", _line.Finish());
        Type("dra");
        Press(ConsoleKey.UpArrow);
        Assert.Equal("two", _line.Text);
        Press(ConsoleKey.UpArrow);
        Press(ConsoleKey.UpArrow);
        Assert.Equal("one", _line.Text);
        Press(ConsoleKey.DownArrow);
        Press(ConsoleKey.DownArrow);
        Assert.Equal("dra", _line.Text);
    }

    [Fact]
    public void CtrlD_EndsOnAnEmptyLineOnly()
    {
        Assert.Equal(LineResult.Ended, Press(ConsoleKey.D, control: true));
        Type("ab");
        Press(ConsoleKey.Home);
        Assert.Equal(LineResult.Edited, Press(ConsoleKey.D, control: true));
        Assert.Equal("b", _line.Text);
    }

    [Fact]
    public void View_ALineLongerThanTheTerminal_ShowsTheCursor()
    {
        Type("0123456789");
        Assert.Equal(("…56789", 6), _line.View(7));
        Press(ConsoleKey.Home);
        Assert.Equal(("0123456", 0), _line.View(7));
    }

    [Fact]
    public void GrowingAnswer_WritesWholeLinesOnceAndKeepsTheLastOpen()
    {
        var answer = new GrowingAnswer(10);
        Assert.Empty(answer.Take("one", ended: false, out _));
        Assert.Equal("one", answer.Open);
        Assert.Equal(["one"], answer.Take("one\ntwo", ended: false, out _));
        Assert.Equal(["two three "], answer.Take("one\ntwo three four", ended: false, out _));
        Assert.Equal("four", answer.Open);
        Assert.Equal(["four five"], answer.Take("one\ntwo three four five", ended: true, out var anew));
        Assert.False(anew);
    }

    [Fact]
    public void GrowingAnswer_AnotherText_IsWrittenFromItsBeginning()
    {
        var answer = new GrowingAnswer(10);
        Assert.Single(answer.Take("one\ntwo", ended: false, out _));
        Assert.Equal(["other"], answer.Take("other", ended: true, out var anew));
        Assert.True(anew);
    }
}
