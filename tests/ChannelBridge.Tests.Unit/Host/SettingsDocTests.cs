using System.Runtime.CompilerServices;
using System.Text;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Tests.Unit.Host;

/// <summary>The table of settings in <c>docs/operations.md</c> is made from the catalogue. With <c>CHANNELBRIDGE_WRITE_DOCS=1</c> it is written, otherwise compared.</summary>
public sealed class SettingsDocTests
{
    private const string Begin = "<!-- settings: begin (made by SettingsDocTests with CHANNELBRIDGE_WRITE_DOCS=1) -->";
    private const string End = "<!-- settings: end -->";

    [Fact]
    public void Operations_SettingsTable_IsTheCatalogue()
    {
        var file = Path.Combine(Root(), "docs", "operations.md");
        var text = File.ReadAllText(file);
        var begin = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var end = text.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin > Begin.Length && end > begin, "docs/operations.md has lost the marks of the settings table");
        var table = new StringBuilder("\n\n| key | default | |\n|---|---|---|\n");
        foreach (var setting in SettingsCatalog.All)
        {
            var option = setting.Option is { } name ? $" `{name}`" : "";
            table.Append($"| `{setting.Key}` | {setting.Default} | {setting.Summary.TrimEnd('.')}.{option} |\n");
        }

        var expected = text[..begin] + table + "\n" + text[end..];
        if (Environment.GetEnvironmentVariable("CHANNELBRIDGE_WRITE_DOCS") == "1") File.WriteAllText(file, expected);
        else Assert.True(expected == text, "docs/operations.md is behind the code: run the tests once with CHANNELBRIDGE_WRITE_DOCS=1 and commit it");
    }

    [Fact]
    public void Operations_ExitCodes_AreAllDocumented()
    {
        var text = File.ReadAllText(Path.Combine(Root(), "docs", "operations.md"));
        foreach (var code in typeof(ChannelBridge.Host.ExitCodes).GetFields().Where(field => field.IsLiteral).Select(field => (int)field.GetRawConstantValue()!))
            Assert.Contains($"\n| {code} | ", text, StringComparison.Ordinal);
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}
