using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Storage.Sqlite;

/// <summary>The store's folder, file and lock: readable by their owner only, and used by one host at a time.</summary>
internal sealed class StoreFiles : IDisposable
{
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerFolder = OwnerFile | UnixFileMode.UserExecute;

    private readonly string _path;
    private readonly FileStream _lock;

    private StoreFiles(string path, FileStream @lock)
    {
        _path = path;
        _lock = @lock;
    }

    /// <summary>Makes the folder if needed and takes the lock, which the system releases when the process ends, however it ends.</summary>
    /// <exception cref="BridgeException">Another host has it, or the folder can't be written.</exception>
    public static StoreFiles Lock(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        try
        {
            if (!Directory.Exists(folder))
            {
                if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
                else Directory.CreateDirectory(folder, OwnerFolder);
            }

            return new StoreFiles(path, Create(path + ".lock", FileMode.OpenOrCreate, FileShare.None));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BridgeException(ErrorCodes.StoreReadOnly, $"The store's folder {folder} can't be written. Give the host's user write access, or name another file.", e)
            {
                Retryable = true,
            };
        }
        catch (IOException e) when (IsHeld(e))
        {
            throw new BridgeException(
                ErrorCodes.StoreUnavailable,
                $"The store {path} is in use by another host. Stop that one first; several hosts at once need the PostgreSQL store.",
                e)
            {
                Retryable = true,
            };
        }
        catch (IOException e)
        {
            throw new BridgeException(ErrorCodes.StoreUnavailable, $"The store's folder {folder} can't be used: {e.Message}", e) { Retryable = true };
        }
    }

    /// <summary>
    /// Makes the file before the engine opens it: it gets its mode from the start, whatever the process's umask, and the engine gives the same mode
    /// to the log and the shared memory.
    /// </summary>
    public void Prepare()
    {
        foreach (var file in (string[])[_path, _path + "-wal", _path + "-shm", _path + ".lock"])
        {
            if (OperatingSystem.IsWindows() || !File.Exists(file) || File.GetUnixFileMode(file) == OwnerFile) continue;
            File.SetUnixFileMode(file, OwnerFile);
        }

        if (!File.Exists(_path)) Create(_path, FileMode.CreateNew, FileShare.ReadWrite).Dispose();
    }

    /// <summary>Makes a file that only its owner can read, whatever the process's umask.</summary>
    public static FileStream CreateOwnerOnly(string path) => Create(path, FileMode.CreateNew, FileShare.ReadWrite);

    /// <summary>Flushes a file that is complete and gives it its name.</summary>
    public static void Keep(string partial, string path)
    {
        using (var file = File.OpenHandle(partial, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite)) RandomAccess.FlushToDisk(file);
        File.Move(partial, path);
    }

    /// <summary>A file's size; 0 when it isn't there.</summary>
    public static long SizeOf(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? file.Length : 0;
    }

    /// <summary>Bytes that are free on a file's disk, or null when the system doesn't tell.</summary>
    public static long? FreeOn(string path)
    {
        try
        {
            return new DriveInfo(Path.GetDirectoryName(path)!).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Releases the lock. Its file stays: removing it would let two hosts lock two different files of that name.</summary>
    public void Dispose() => _lock.Dispose();

    private static FileStream Create(string path, FileMode mode, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerFile;
        return new FileStream(path, options);
    }

    // EWOULDBLOCK of Linux and of the BSDs, sharing and lock violation of Windows.
    private static bool IsHeld(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult is 11 or 35;
}
