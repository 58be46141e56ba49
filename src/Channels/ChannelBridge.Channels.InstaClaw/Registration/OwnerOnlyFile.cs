namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>Files that their owner alone may read. On Windows the user's profile has that by itself.</summary>
internal static class OwnerOnlyFile
{
    private const UnixFileMode Folder700 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode File600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = (UnixFileMode)0x3F;

    /// <summary>Makes a folder, or closes the one that is there.</summary>
    public static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else if (!Directory.Exists(path)) Directory.CreateDirectory(path, Folder700);
        else if ((File.GetUnixFileMode(path) & Others) != UnixFileMode.None) File.SetUnixFileMode(path, Folder700);
    }

    /// <summary>Takes the rights of others on a file away; true when there were any.</summary>
    public static bool Close(string path)
    {
        if (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & Others) == UnixFileMode.None) return false;
        File.SetUnixFileMode(path, File600);
        return true;
    }

    /// <summary>Opens a lock file for this process alone.</summary>
    /// <exception cref="IOException">Another one has it.</exception>
    public static FileStream OpenExclusive(string path) =>
        new(path, Options(FileMode.OpenOrCreate));

    /// <summary>Replaces a file in one step and durably: readers see the old content or the new one.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        var temporary = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, Options(FileMode.CreateNew)))
            {
                stream.Write(content);
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

    private static FileStreamOptions Options(FileMode mode)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = File600;
        return options;
    }
}
