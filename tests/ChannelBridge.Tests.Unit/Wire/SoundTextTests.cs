using ChannelBridge.Protocol;

namespace ChannelBridge.Tests.Unit.Wire;

public sealed class SoundTextTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("", "")]
    [InlineData("whole 😀", "whole 😀")]
    // Half a pair can't be in an attribute: metadata is UTF-8. H and L stand for the halves.
    [InlineData("a<H>", "a\uFFFD")]
    [InlineData("<L>b", "\uFFFDb")]
    [InlineData("<L><H>", "\uFFFD\uFFFD")]
    [InlineData("<H><L>", "😀")]
    [InlineData("nul \0 stays", "nul \0 stays")]
    public void Mend_ReplacesLoneSurrogates(string text, string expected) => Assert.Equal(expected, SoundText.Mend(Halves(text)));

    [Fact]
    public void Mend_SoundText_IsTheSameInstance()
    {
        var text = new string('x', 10) + "😀";
        Assert.Same(text, SoundText.Mend(text));
        Assert.Same(text, SoundText.Storable(text));
    }

    [Fact]
    public void Storable_HasNoNulEither() => Assert.Equal("a\uFFFDb\uFFFD😀", SoundText.Storable("a\0b\uD83D😀"));

    [Theory]
    [InlineData("abc", 3, "abc")]
    [InlineData("abcd", 3, "abc…")]
    [InlineData("ab😀", 3, "ab…")]
    [InlineData("ab😀d", 4, "ab😀…")]
    // A family of four is one letter, of eleven characters.
    [InlineData("ab👨‍👩‍👧‍👦c", 12, "ab…")]
    [InlineData("ae\u0301z", 2, "a…")]
    [InlineData("abc", 0, "…")]
    [InlineData("<H>", 5, "\uFFFD")]
    public void Cut_EndsBetweenGraphemes(string text, int longest, string expected) => Assert.Equal(expected, SoundText.Cut(Halves(text), longest, "…"));

    [Fact]
    public void Cut_OneGraphemeThatIsLongerThanAllowed_IsCutInside()
    {
        var zalgo = "e" + new string('\u0301', 500);
        Assert.Equal(100, SoundText.Cut(zalgo, 100).Length);
        Assert.Equal("", SoundText.Cut("😀", 1).Replace("\uFFFD", ""));
    }

    private static string Halves(string text) => text.Replace("<H>", "\uD83D", StringComparison.Ordinal).Replace("<L>", "\uDE00", StringComparison.Ordinal);
}
