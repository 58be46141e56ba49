using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ChannelBridge.Tests.Integration;

/// <summary>What the plugin makes of the gateway's partial texts, which may be snapshots, deltas or replacements.</summary>
public sealed class PluginStreamTests
{
    [Theory]
    [InlineData("s.partial({text:'He'}); s.partial({text:'Hello'})", """[["partial","He"],["partial","llo"]]""")]
    [InlineData("s.partial({delta:'He'}); s.partial({delta:'llo'})", """[["partial","He"],["partial","llo"]]""")]
    [InlineData("s.partial({text:'He', delta:'He'}); s.partial({text:'Hello', delta:'llo'})", """[["partial","He"],["partial","llo"]]""")]
    [InlineData("s.partial({text:'Hello'}); s.partial({text:'Bye', replace:true})", """[["partial","Hello"],["rewrite","Bye"]]""")]
    [InlineData("s.partial({text:'Hello'}); s.partial({text:'', replace:true})", """[["partial","Hello"],["rewrite",""]]""")]
    [InlineData("s.partial({text:'Hello'}); s.partial({text:'Hullo'})", """[["partial","Hello"],["rewrite","Hullo"]]""")]
    [InlineData("s.partial({text:'Hello '}); s.partial({text:'Hello'}); s.partial({text:'Hello you'})", """[["partial","Hello "],["partial","you"]]""")]
    [InlineData("s.partial({text:'a\\ud83d'}); s.partial({text:'a\\ud83d\\ude00'})", """[["partial","a"],["partial","😀"]]""")]
    [InlineData("s.partial({text:'one'}); s.messageStart(); s.partial({text:'two'})", """[["partial","one"],["message","one"],["partial","two"]]""")]
    [InlineData("s.partial({text:'one'}); s.messageStart(); s.partial({text:'two'}); s.reply({text:'one'},{kind:'final'}); s.reply({text:'two.'},{kind:'final'})",
        """[["partial","one"],["message","one"],["partial","two"],["reply","two."]]""")]
    [InlineData("s.reply({text:'shown elsewhere'},{kind:'tool'}); s.reply({text:'x'},{kind:'block'})", """[["reply","x"]]""")]
    public async Task Partial_OfAnyKind_IsSuffixesRewritesAndEnds(string script, string expected)
    {
        var module = Module();
        var start = new ProcessStartInfo("node") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("--input-type=module");
        start.ArgumentList.Add("-e");
        start.ArgumentList.Add(
            $"import {{ TurnStream }} from '{module}'; const told = []; const s = new TurnStream((kind, {{ text }}) => told.push([kind, text]), true); {script}; console.log(JSON.stringify(told));");
        using var node = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var errors = node.StandardError.ReadToEndAsync(timeout.Token);
        var output = await node.StandardOutput.ReadToEndAsync(timeout.Token);
        await node.WaitForExitAsync(timeout.Token);
        Assert.True(node.ExitCode == 0, await errors);
        Assert.Equal(expected, output.Trim());
    }

    private static Uri Module([CallerFilePath] string here = "") =>
        new(Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "plugin-manifest", "stream.mjs")));
}
