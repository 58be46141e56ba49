using System.Runtime.InteropServices;

namespace ChannelBridge.Host.Composition;

/// <summary>Keeps what the host writes readable by its owner only. On Windows the user's profile has that by itself.</summary>
internal static class OwnerOnly
{
    private const UnixFileMode Directory700 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode File600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = (UnixFileMode)0x3F;

    /// <summary>Whatever the process creates from now on, the store's files and sockets among them, is the owner's alone.</summary>
    public static void RestrictNewFiles()
    {
        if (!OperatingSystem.IsWindows()) _ = Umask(0x3F);
    }

    /// <summary>
    /// Makes a folder for the owner only. One that is there and that others may enter is closed when it is empty or ours; any other is left as it is,
    /// and the answer is false: it is shared on purpose.
    /// </summary>
    public static bool CreateDirectory(string path, Func<string, bool> isOurs)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return true;
        }

        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, Directory700);
            return true;
        }

        if ((File.GetUnixFileMode(path) & Others) == UnixFileMode.None) return true;
        if (Directory.EnumerateFileSystemEntries(path).Any() && !isOurs(path)) return false;
        File.SetUnixFileMode(path, Directory700);
        return true;
    }

    /// <summary>Writes a file atomically and durably: readers see the old content or the new one, and never more than its owner does.</summary>
    public static void WriteFile(string path, string content)
    {
        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = File600;
        try
        {
            File.Delete(temporary);
            using (var stream = new FileStream(temporary, options))
            using (var writer = new StreamWriter(stream))
            {
                writer.Write(content);
                writer.Flush();
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Takes the rights of others on a file away; true when there were any.</summary>
    public static bool CloseFile(string path)
    {
        if (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & Others) == UnixFileMode.None) return false;
        File.SetUnixFileMode(path, File600);
        return true;
    }

    [DllImport("libc", EntryPoint = "umask")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint Umask(uint mask);
}
