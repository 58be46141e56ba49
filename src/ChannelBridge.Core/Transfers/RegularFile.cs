using System.Runtime.InteropServices;
using ChannelBridge.Abstractions.Transfers;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Core.Transfers;

/// <summary>
/// Opens a file whose path somebody else has chosen. What counts is what was opened, not what was looked at before: a pipe in its place would be waited for without
/// end, and a link that was put there meanwhile would lead elsewhere.
/// </summary>
internal static partial class RegularFile
{
    private const int EmptyPath = 0x1000;
    private const uint WantType = 0x1;
    private const int TypeMask = 0xF000;
    private const int Regular = 0x8000;

    // O_RDONLY | O_NONBLOCK | O_CLOEXEC: without the second the opening of a pipe waits for somebody who writes to it.
    private static readonly int Flags = OperatingSystem.IsMacOS() ? 0x4 | 0x1000000 : 0x800 | 0x80000;

    /// <summary>Opens it for reading.</summary>
    /// <param name="path">A full path without links.</param>
    /// <exception cref="IOException">It isn't there, is no regular file, or its path leads through a link by now.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not read it.</exception>
    public static FileStream Open(string path)
    {
        var handle = OperatingSystem.IsWindows()
            ? File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, FileOptions.Asynchronous)
            : OpenUnix(path);
        try
        {
            if (!IsRegular(handle)) throw new IOException("it is no regular file");
            if (Opened(handle, path) != path) throw new IOException("its path leads through a link");
            return new FileStream(handle, FileAccess.Read, bufferSize: 0, handle.IsAsync);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static SafeFileHandle OpenUnix(string path)
    {
        var descriptor = OpenDescriptor(path, Flags);
        if (descriptor >= 0) return new SafeFileHandle(descriptor, ownsHandle: true);
        const int NotPermitted = 1, NoAccess = 13;
        var error = Marshal.GetLastPInvokeError();
        if (error is NotPermitted or NoAccess) throw new UnauthorizedAccessException("no permission");
        throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    private static bool IsRegular(SafeFileHandle handle)
    {
        if (!OperatingSystem.IsLinux()) return (File.GetAttributes(handle) & (FileAttributes.Directory | FileAttributes.Device)) == FileAttributes.None && CanSeek(handle);
        // struct statx has the same layout on every architecture: the mode is at byte 28.
        Span<byte> status = stackalloc byte[256];
        return Statx(handle, "", EmptyPath, WantType, ref MemoryMarshal.GetReference(status)) == 0
            && (MemoryMarshal.Read<ushort>(status[28..]) & TypeMask) == Regular;
    }

    private static bool CanSeek(SafeFileHandle handle)
    {
        try
        {
            return RandomAccess.GetLength(handle) >= 0;
        }
        catch (NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>What the handle is of; where the system doesn't tell, what the path leads to now.</summary>
    private static string Opened(SafeFileHandle handle, string path) =>
        OperatingSystem.IsLinux() && new FileInfo($"/proc/self/fd/{handle.DangerousGetHandle()}").LinkTarget is { } opened ? opened : FilePaths.Resolve(path);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenDescriptor(string path, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(SafeFileHandle folder, string path, int flags, uint mask, ref byte status);
}
