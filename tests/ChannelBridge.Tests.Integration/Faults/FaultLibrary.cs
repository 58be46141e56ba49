using System.Diagnostics;

namespace ChannelBridge.Tests.Integration.Faults;

/// <summary>The library that makes a running host's disk fail, built once, and the switch of one host.</summary>
public sealed class FaultLibrary
{
    private static readonly Lazy<string> Built = new(Build);
    private readonly string _control = Path.Combine(HostProcess.NewDataFolder(), "faults");

    /// <summary>The environment for the host.</summary>
    public Dictionary<string, string> Environment => new() { ["LD_PRELOAD"] = Built.Value, ["CHANNELBRIDGE_TEST_FAULTS"] = _control };

    /// <summary>The environment for a server whose files with this in their path fail; other users may read library and switch.</summary>
    public Dictionary<string, string> EnvironmentFor(string path)
    {
        foreach (var folder in new[] { Path.GetDirectoryName(Built.Value)!, Path.GetDirectoryName(_control)! })
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute | UnixFileMode.OtherRead);
        return new Dictionary<string, string>(Environment) { ["CHANNELBRIDGE_TEST_FAULT_PATH"] = path };
    }

    /// <summary>What fails from now on: <c>fsync</c>, <c>full</c>, <c>grow</c>, <c>readonly</c>, or nothing.</summary>
    public void Set(string faults)
    {
        // In one step, so that the host never reads half of it.
        File.WriteAllText(_control + ".new", faults);
        File.Move(_control + ".new", _control, overwrite: true);
    }

    private static string Build()
    {
        var library = Path.Combine(HostProcess.NewDataFolder(), "faults.so");
        var start = new ProcessStartInfo("cc") { RedirectStandardError = true };
        foreach (var argument in new[] { "-shared", "-fPIC", "-O1", "-o", library, Path.Combine(AppContext.BaseDirectory, "Faults", "faults.c"), "-ldl" })
            start.ArgumentList.Add(argument);
        using var compiler = Process.Start(start)!;
        var errors = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        return compiler.ExitCode == 0 ? library : throw new InvalidOperationException("the fault library can't be built (a C compiler, cc, is needed):\n" + errors);
    }
}
