using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>
/// Flushes a database's write-ahead log to the disk. Its own handle serves as well as the engine's: a flush concerns the file, and the kernel
/// reports a failed write to each handle once.
/// </summary>
internal sealed partial class LogFlusher(string path) : IDisposable
{
    private SafeFileHandle? _handle;

    /// <summary>Returns when everything written to the log so far is on the disk.</summary>
    /// <exception cref="IOException">It can't be said to be: the connection must be given up.</exception>
    public void Flush()
    {
        _handle ??= File.OpenHandle(path + "-wal", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(_handle);
            return;
        }

        // Unlike fsync it leaves out times that nobody needs, which spares a journaling file system a second write.
        if (FlushData(_handle) != 0) throw new IOException($"fdatasync failed with error {Marshal.GetLastPInvokeError()}");
    }

    /// <inheritdoc/>
    public void Dispose() => _handle?.Dispose();

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FlushData(SafeFileHandle file);
}
