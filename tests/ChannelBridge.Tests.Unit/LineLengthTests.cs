using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace ChannelBridge.Tests.Unit;

/// <summary>Holds what <c>.editorconfig</c> says of the length of lines.</summary>
public sealed partial class LineLengthTests
{
    private const int Longest = 180;

    /// <summary>What may stand around a text that is longer than a line by itself.</summary>
    private const int AroundAText = 60;

    private static readonly string[] Folders = ["src", "tests", "samples", "bench", "templates", "plugin-manifest"];

    [Fact]
    public void Sources_NoLineOfCode_IsLongerThanTheEditorConfigSays()
    {
        var root = Root();
        Assert.Contains($"max_line_length = {Longest}\n", File.ReadAllText(Path.Combine(root, ".editorconfig")), StringComparison.Ordinal);
        var tooLong = new List<string>();
        var files = 0;
        foreach (var file in Folders.Select(folder => Path.Combine(root, folder)).Where(Directory.Exists).SelectMany(Sources))
        {
            files++;
            tooLong.AddRange(TooLong(File.ReadAllLines(file)).Select(line => $"{Path.GetRelativePath(root, file)}:{line}"));
        }

        Assert.True(files > 500, $"only {files} files were found");
        Assert.True(tooLong.Count == 0, $"longer than {Longest} columns:\n{string.Join('\n', tooLong)}");
    }

    [Theory]
    [InlineData(150, 20, false)]
    [InlineData(170, 20, true)]
    public void TooLong_Code_IsFound(int call, int text, bool expected) =>
        Assert.Equal(expected, TooLong([$"{new string('a', call)}(\"{new string('b', text)}\")"]).Any());

    [Theory]
    [InlineData("Call(\"TEXT\", 1);", false)]
    [InlineData("Call(\"\"\"TEXT\"\"\");", false)]
    [InlineData("    + $\"TEXT\"", false)]
    [InlineData("Call(\"TEXT\", CancellationToken.None, another: \"one\", third: 3, fourth: 4, fifth: 5, sixth: 6);", true)]
    public void TooLong_ATextAlone_MayBeLonger(string line, bool expected) =>
        Assert.Equal(expected, TooLong([line.Replace("TEXT", new string('b', 200), StringComparison.Ordinal)]).Any());

    [Fact]
    public void TooLong_LinesOfARawText_MayBeLonger()
    {
        var text = new string('b', 200);
        Assert.Empty(TooLong(["var json = \"\"\"", text, "    \"\"\";"]));
        Assert.Equal([4], TooLong(["var json = \"\"\"", text, "    \"\"\";", text]));
    }

    /// <summary>The numbers of lines that are too long.</summary>
    private static IEnumerable<int> TooLong(IReadOnlyList<string> lines)
    {
        var isRaw = false;
        for (var i = 0; i < lines.Count; i++)
        {
            var begins = isRaw;
            if (RawQuotes().Count(lines[i]) % 2 == 1) isRaw = !isRaw;
            if (lines[i].Length <= Longest || begins || isRaw) continue;
            var text = Text().EnumerateMatches(lines[i]);
            var longest = 0;
            foreach (var match in text) longest = Math.Max(longest, match.Length);
            if (lines[i].AsSpan().Trim().Length - longest > AroundAText) yield return i + 1;
        }
    }

    private static IEnumerable<string> Sources(string folder) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Where(file => Path.GetExtension(file) is ".cs" or ".mjs")
        .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "node_modules"));

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));

    [GeneratedRegex("\"{3,}")]
    private static partial Regex RawQuotes();

    [GeneratedRegex("""("{3,}).*?\1|"(?:\\.|[^"\\])*"|`[^`]*`""")]
    private static partial Regex Text();
}
