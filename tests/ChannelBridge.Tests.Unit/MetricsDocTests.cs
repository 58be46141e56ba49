using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace ChannelBridge.Tests.Unit;

/// <summary>Every instrument is described and listed in docs/operations.md, and all are named in one style: what an operator alerts on is known and stays.</summary>
public sealed partial class MetricsDocTests
{
    [Fact]
    public void Instruments_AreDescribedAndListed()
    {
        var root = Root();
        var docs = Expand(File.ReadAllText(Path.Combine(root, "docs", "operations.md")));
        var instruments = Directory.GetFiles(Path.Combine(root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .SelectMany(file => Instrument().Matches(File.ReadAllText(file)).Select(match => (Name: match.Groups["name"].Value, Arguments: match.Groups["rest"].Value, file)))
            .ToList();
        Assert.InRange(instruments.Count, 30, 200);
        Assert.All(instruments, one =>
        {
            Assert.Matches("^channelbridge(\\.[a-z_]+)+$", one.Name);
            // Unit and description: two texts behind the name, the second a sentence.
            Assert.Matches("\"[A-Z][^\"]+\\.\"", one.Arguments);
            Assert.Contains(one.Name, docs);
        });
    }

    /// <summary>`a.b.c`, `.d` in one cell stands for `a.b.c` and `a.b.d`.</summary>
    private static HashSet<string> Expand(string text)
    {
        var names = new HashSet<string>();
        foreach (var line in text.Split('\n').Where(line => line.StartsWith("| `channelbridge.", StringComparison.Ordinal)))
        {
            string? first = null;
            foreach (Match match in Code().Matches(line.Split('|')[1]))
            {
                var name = match.Groups[1].Value;
                if (!name.StartsWith('.')) first = name;
                else if (first is not null)
                {
                    // A suffix replaces the last word, or as many as it has where there are that many behind the room.
                    names.Add(first[..first.LastIndexOf('.')] + name);
                    continue;
                }

                names.Add(name);
            }
        }

        return names;
    }

    private static string Root([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", ".."));

    [GeneratedRegex(
        "Create(?:Counter|UpDownCounter|Histogram|ObservableGauge|ObservableCounter|Gauge)(?:<\\w+>)?\\(\\s*\"(?<name>[^\"]+)\"(?<rest>[^;]*);",
        RegexOptions.Singleline)]
    private static partial Regex Instrument();

    [GeneratedRegex("`([a-z_.]+)`")]
    private static partial Regex Code();
}
