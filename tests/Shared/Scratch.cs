using System.Diagnostics;

namespace ChannelBridge.Tests;

/// <summary>
/// Temporary folders of the tests, under one of this process that goes when it ends: what a test leaves behind fills nobody's disk. The test runner may
/// end the process before all of it is gone; the next one removes the rest.
/// </summary>
internal static class Scratch
{
    private const string Prefix = "channelbridge-tests-";

    private static readonly Lazy<string> s_root = new(() =>
    {
        RemoveLeftOver();
        var root = Directory.CreateTempSubdirectory($"{Prefix}{Environment.ProcessId}-").FullName;
        // Passed through, not read, by the user that a test's PostgreSQL runs as.
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(root, (UnixFileMode)0b111_001_001);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Remove(root);
        return root;
    });

    private static int s_count;

    /// <summary>A new folder, this user's only. Its path is short, for the sockets in it.</summary>
    public static string NewFolder(string prefix)
    {
        var folder = Path.Combine(s_root.Value, $"{prefix}{Interlocked.Increment(ref s_count)}");
        return (OperatingSystem.IsWindows() ? Directory.CreateDirectory(folder) : Directory.CreateDirectory(folder, (UnixFileMode)0b111_000_000)).FullName;
    }

    private static void RemoveLeftOver()
    {
        foreach (var root in Directory.GetDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            if (!int.TryParse(Path.GetFileName(root)[Prefix.Length..].Split('-')[0], out var process) || IsAlive(process)) continue;
            Remove(root);
        }
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static void Remove(string root)
    {
        try
        {
            Directory.Delete(root, recursive: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // A process that a broken-off test has started still writes there; the system's own cleaning takes it.
        }
    }
}
