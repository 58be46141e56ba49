using System.Text;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Tests.Unit.Transfers;

public sealed class FileNameTests
{
    [Theory]
    [InlineData("report.pdf", "report.pdf")]
    [InlineData("../../etc/passwd", "passwd")]
    [InlineData("..\\..\\windows\\system32\\cmd.exe", "cmd.exe")]
    [InlineData("/etc/passwd", "passwd")]
    [InlineData("C:\\a\\b.txt", "b.txt")]
    [InlineData("C:b.txt", "C_b.txt")]
    [InlineData("a\0b.txt", "ab.txt")]
    [InlineData("CON", "_CON")]
    [InlineData("nul.txt", "_nul.txt")]
    [InlineData("com1.log", "_com1.log")]
    [InlineData(".bashrc", "bashrc")]
    [InlineData("a.txt. . ", "a.txt")]
    [InlineData("\u202Efdp.exe", "fdp.exe")]
    [InlineData("a\u2215b", "b")]
    [InlineData("\uFF0E\uFF0E\uFF0Fetc\uFF0Fpasswd", "passwd")]
    [InlineData("a\uFF3Cb.txt", "b.txt")]
    [InlineData("a\u200Bb\uFEFF.txt", "ab.txt")]
    [InlineData("照片 1.png", "照片 1.png")]
    [InlineData("👨\u200D👩\u200D👧.png", "👨\u200D👩\u200D👧.png")]
    [InlineData("می\u200Cخواهم.pdf", "می\u200Cخواهم.pdf")]
    [InlineData("क्\u200Dष.txt", "क्\u200Dष.txt")]
    [InlineData("\u200Da\u200C.txt\u200D", "a.txt")]
    [InlineData("\u200D", null)]
    [InlineData("..", null)]
    [InlineData("/", null)]
    [InlineData("   ", null)]
    [InlineData(null, null)]
    public void Names_are_made_fit_to_show(string? given, string? expected) => Assert.Equal(expected, FileNames.Sanitize(given));

    [Fact]
    public void Long_names_are_cut_and_keep_their_extension()
    {
        foreach (var name in new[] { new string('a', 4096) + ".png", string.Concat(Enumerable.Repeat("漢", 4096)) + ".png" })
        {
            var safe = FileNames.Sanitize(name)!;
            Assert.EndsWith(".png", safe, StringComparison.Ordinal);
            Assert.InRange(Encoding.UTF8.GetByteCount(safe), 1, 180);
        }
    }

    /// <summary>A name is cut between characters as people see them.</summary>
    [Fact]
    public void Long_names_are_cut_between_graphemes()
    {
        const string Family = "👨\u200D👩\u200D👧";
        var safe = FileNames.Sanitize(string.Concat(Enumerable.Repeat(Family, 40)) + ".png")!;
        Assert.Equal("", safe[..^4].Replace(Family, "", StringComparison.Ordinal));
    }

    [Fact]
    public void What_a_file_is_is_sniffed_not_believed()
    {
        byte[] png = [0x89, .. "PNG\r\n\x1a\n0000"u8];
        Assert.Equal("image/png", MimeSniffer.Sniff(png, "text/plain"));
        Assert.Equal("application/x-elf", MimeSniffer.Sniff("\u007fELF\u0002\u0001"u8, "image/png"));
        Assert.Equal("text/html", MimeSniffer.Sniff("<!DOCTYPE html><script>"u8, "image/png"));
        Assert.Equal("text/plain", MimeSniffer.Sniff("hello"u8, null));
        Assert.Equal("text/csv", MimeSniffer.Sniff("a,b\n1,2"u8, "text/csv; charset=utf-8"));
        Assert.Equal("text/plain", MimeSniffer.Sniff("hello"u8, "image/png"));
        Assert.Equal("application/octet-stream", MimeSniffer.Sniff([0, 1, 2, 3, 4], "image/png"));
        Assert.Equal("application/x-own", MimeSniffer.Sniff([0, 1, 2, 3, 4], "application/x-own"));
        Assert.Equal("audio/silk", MimeSniffer.Sniff("\u0002#!SILK_V3"u8, "audio/amr"));
    }
}
