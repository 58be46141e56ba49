using System.Runtime.Versioning;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>The built host in a folder that only its owner can change, as managed mode asks for.</summary>
[UnsupportedOSPlatform("windows")]
public static class HostCopy
{
    /// <summary>Copies the host into a folder and gives the path of its program.</summary>
    public static string In(string folder)
    {
        var target = Path.Combine(folder, "host");
        Copy(AppContext.BaseDirectory, target);
        var program = Path.Combine(target, "channelbridge");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return program;
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var file in Directory.GetFiles(from))
        {
            // The tests themselves and what they run under are no part of the host.
            if (!Path.GetFileName(file).Contains("xunit", StringComparison.OrdinalIgnoreCase)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }

        foreach (var child in Directory.GetDirectories(from)) Copy(child, Path.Combine(to, Path.GetFileName(child)));
    }
}
