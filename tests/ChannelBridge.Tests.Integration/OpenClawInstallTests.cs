using System.Runtime.CompilerServices;

namespace ChannelBridge.Tests.Integration;

/// <summary><c>openclaw pack --install</c> with a program in the gateway's place that writes down what it is told.</summary>
public sealed class OpenClawInstallTests
{
    private readonly string _folder = Scratch.NewFolder("cbinstall");

    private string Said => Path.Combine(_folder, "said");

    private string Archive => Path.Combine(_folder, "package.tgz");

    [Fact]
    public async Task ChannelThatComesAndGoes_IsInstalledByTheGatewaysOwnCommand()
    {
        var program = Write("");
        var data = Path.Combine(_folder, "data");
        await RunAsync("plugins", "install", Path.Combine(Samples(), "plugin-python"), "--data", data);
        var output = await PackAsync(data, program);
        Assert.Equal([$"plugins install npm-pack:{Archive} --force --accept-capabilities", "config set channels.pyfolder.enabled true", "gateway restart"], ReadSaid());
        Assert.Contains("restart this host, too", output, StringComparison.Ordinal);
        Assert.DoesNotContain("next:", output, StringComparison.Ordinal);

        await RunAsync("plugins", "remove", "folder-python", "--data", data);
        // It was never set up; and a gateway that runs without a service is restarted by whoever runs it.
        program = Write("""
            case "$*" in
              "config unset"*) echo "Config path not found: channels.pyfolder. Nothing was changed." >&2; exit 1;;
              "gateway restart") echo "no service is installed" >&2; exit 1;;
            esac
            """);
        output = await PackAsync(data, program);
        Assert.Equal(["config unset channels.pyfolder", $"plugins install npm-pack:{Archive} --force --accept-capabilities", "gateway restart"], ReadSaid());
        Assert.Contains("no service is installed", output, StringComparison.Ordinal);
        Assert.Contains("restart the gateway the way you start it", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StepThatFails_EndsIt_AndTheNextTryDoesAllOfThem()
    {
        var data = Path.Combine(_folder, "data");
        await RunAsync("plugins", "install", Path.Combine(Samples(), "plugin-python"), "--data", data);
        var program = Write("""case "$*" in "plugins install"*) echo "no room on the disk" >&2; exit 5;; esac""");
        var failed = await HostProcess.RunAsync(["openclaw", "pack", "--install", "--openclaw", program, "--out", Archive, "--data", data]);
        Assert.Equal(8, failed.ExitCode);
        Assert.Contains("no room on the disk", failed.Errors, StringComparison.Ordinal);
        Assert.Single(ReadSaid());
        await PackAsync(data, Write(""));
        Assert.Equal(3, ReadSaid().Length);
    }

    [Fact]
    public async Task GatewayThatIsNotHere_IsSaid_AndNothingIsWritten()
    {
        var data = Path.Combine(_folder, "data");
        foreach (var (arguments, words) in new (string[], string)[]
        {
            (["--openclaw", "no-such-openclaw"], "there is no program no-such-openclaw on the PATH: name it by --openclaw FILE"),
            (["--openclaw", "/no/such/openclaw"], "there is no /no/such/openclaw"),
        })
        {
            var result = await HostProcess.RunAsync(["openclaw", "pack", "--install", .. arguments, "--out", Archive, "--data", data]);
            Assert.Equal(8, result.ExitCode);
            Assert.Contains(words, result.Errors, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    private async Task<string> PackAsync(string data, string program) =>
        await RunAsync("openclaw", "pack", "--install", "--openclaw", program, "--out", Archive, "--data", data);

    private string[] ReadSaid()
    {
        var said = File.ReadAllLines(Said);
        File.Delete(Said);
        return said;
    }

    private string Write(string then)
    {
        var file = Path.Combine(_folder, "openclaw");
        File.WriteAllText(file, $"#!/bin/sh\necho \"$*\" >> '{Said}'\n{then}\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return file;
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        var result = await HostProcess.RunAsync(arguments);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        return result.Output;
    }

    private static string Samples([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
}
