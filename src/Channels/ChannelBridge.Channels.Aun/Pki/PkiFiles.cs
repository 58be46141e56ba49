using System.Text;

namespace ChannelBridge.Channels.Aun.Pki;

/// <summary>The folder with the keys: its owner's alone, each file written as a whole or not at all.</summary>
internal sealed class PkiFiles(string folder)
{
    private const UnixFileMode OwnersFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnersFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const string LockName = ".lock";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestLock = TimeSpan.FromSeconds(30);

    /// <summary>Where it is.</summary>
    public string Folder => folder;

    /// <summary>A file's path.</summary>
    public string PathOf(string name) => Path.Combine(folder, name);

    /// <summary>A file's text, or null when it isn't there.</summary>
    public string? Read(string name)
    {
        try
        {
            return File.ReadAllText(PathOf(name));
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Writes a file durably, for its owner only.</summary>
    public void Write(string name, string text)
    {
        var path = PathOf(name);
        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnersFile;
        File.Delete(temporary);
        using (var stream = new FileStream(temporary, options))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Makes the folder, and does something in it that no other process does at the same time: hosts that share it start together.</summary>
    public void Locked(Action action)
    {
        MakeFolder();
        using var held = Lock();
        action();
    }

    private void MakeFolder()
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
            return;
        }

        if (!Directory.Exists(folder)) Directory.CreateDirectory(folder, OwnersFolder);
        if ((File.GetUnixFileMode(folder) & ~OwnersFolder) != UnixFileMode.None) File.SetUnixFileMode(folder, OwnersFolder);
    }

    private FileStream Lock()
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnersFile;
        for (var waited = TimeSpan.Zero; ; waited += Pause)
        {
            try
            {
                return new FileStream(PathOf(LockName), options);
            }
            catch (IOException) when (waited < LongestLock)
            {
                // Another process makes the keys; a file's lock can't be awaited.
                Thread.Sleep(Pause);
            }
        }
    }
}
