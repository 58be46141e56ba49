using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Tests.Unit.Host.Terminal;

public sealed class PlainTextTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("two\nlines\tand a tab", "two\nlines\tand a tab")]
    [InlineData("\u001b[31mred\u001b[0m", "[31mred[0m")]
    [InlineData("a\u0007b\u0000c\u007fd\u009be", "abcde")]
    [InlineData("invoice\u202Efdp.exe", "invoicefdp.exe")]
    [InlineData("a\u2066b\u2069c\u200Ed\u061Ce\uFEFFf", "abcdef")]
    [InlineData("👩\u200D👩 न\u094Dषि", "👩\u200D👩 न\u094Dषि")]
    public void Clean_Text_KeepsWhatIsSaidAndNothingThatSteers(string text, string expected) =>
        Assert.Equal(expected, PlainText.Clean(text));

    [Fact]
    public void Line_SeveralLines_AreOne() => Assert.Equal("a b c d", PlainText.Line("a\r\nb\u2028c\td"));

    [Theory]
    [InlineData("agent:main:bncr:direct:636861743a303a616c696365", "Bncr:chat:alice")]
    [InlineData("agent:main:bncr:group:71713a3132333a383838", "Bncr:qq:123:888")]
    [InlineData("agent:main:bncr:direct:636861743a303a616c696365:task:t1", "Bncr:chat:alice:task:t1")]
    [InlineData("agent:main:bncr:direct:63686", "agent:main:bncr:direct:63686")]
    [InlineData("folder:alice", "folder:alice")]
    public void TargetText_SessionKey_IsWhatPeopleWrite(string key, string expected) => Assert.Equal(expected, TargetText.Of(key));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(52_428_800, "50.0 MiB")]
    [InlineData(75_919_441_920, "70.7 GiB")]
    public void Units_Bytes_HaveOneSystem(long bytes, string expected) => Assert.Equal(expected, Units.Bytes(bytes));

    [Theory]
    [InlineData("abc", 3)]
    [InlineData("日本", 4)]
    [InlineData("e\u0301", 1)]
    [InlineData("👍", 2)]
    public void TextWidth_Text_TakesItsColumns(string text, int columns) => Assert.Equal(columns, TextWidth.Of(text));

    [Fact]
    public void TextWidth_HeadAndTail_CutWholeCharacters()
    {
        Assert.Equal("日", TextWidth.Head("日本語", 3));
        Assert.Equal("…語", TextWidth.Tail("日本語", 4));
        Assert.Equal("abc", TextWidth.Tail("abc", 3));
    }
}
