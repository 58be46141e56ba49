using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Core.Transfers;

/// <summary>
/// The spool on the disk: <c>parts/</c> with files that are arriving, <c>files/</c> with complete ones. Names are random and made here; nothing that
/// came from outside is ever part of a path. Folders and files are the owner's alone.
/// </summary>
internal sealed partial class SpoolFolder
{
    private const int NameLength = 32;
    private const string IdFile = "spool.id";
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("0123456789abcdef");

    private readonly string _root;
    private readonly string _parts;
    private readonly string _files;

    /// <param name="root">The folder, absolute.</param>
    public SpoolFolder(string root)
    {
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        _parts = Path.Combine(_root, "parts");
        _files = Path.Combine(_root, "files");
    }

    /// <summary>A random id of the folder: what was written under another one lies elsewhere.</summary>
    public string Id { get; private set; } = "";

    /// <summary>The folder.</summary>
    public string Root => _root;

    /// <summary>Makes what is missing.</summary>
    public void Open()
    {
        MakeFolder(_root, mayBeLink: true);
        MakeFolder(_parts, mayBeLink: false);
        MakeFolder(_files, mayBeLink: false);
        Id = TakeId();
    }

    /// <summary>A new random name.</summary>
    public static string NewName() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(NameLength / 2));

    /// <summary>True for what <see cref="NewName"/> makes.</summary>
    public static bool IsName(ReadOnlySpan<char> text) => text.Length == NameLength && !text.ContainsAnyExcept(NameCharacters);

    /// <summary>The path of a complete file.</summary>
    public string FilePath(string name) => Path.Combine(_files, Checked(name));

    /// <summary>The name of the complete file that a path names, or null: any other path, however it is written, is none of ours.</summary>
    public string? NameOf(string path)
    {
        if (path.Length != _files.Length + 1 + NameLength || !path.StartsWith(_files, StringComparison.Ordinal)) return null;
        var separator = path[_files.Length];
        if (separator != Path.DirectorySeparatorChar && separator != Path.AltDirectorySeparatorChar) return null;
        var name = path[(_files.Length + 1)..];
        return IsName(name) ? name : null;
    }

    /// <summary>Makes the sparse file for a transfer.</summary>
    public void CreatePart(string name, long size)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var stream = new FileStream(PartPath(name), options);
        stream.SetLength(size);
    }

    /// <summary>Opens the file of a transfer.</summary>
    /// <exception cref="FileNotFoundException">It is gone.</exception>
    public SafeFileHandle OpenPart(string name) => OpenOurs(PartPath(name), FileAccess.ReadWrite);

    /// <summary>What was written to a part is on the disk when this returns.</summary>
    public static void Flush(SafeFileHandle part)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(part);
            return;
        }

        if (FlushData(part) != 0) throw new IOException($"fdatasync failed with error {Marshal.GetLastPInvokeError()}", Marshal.GetLastPInvokeError());
    }

    /// <summary>True while the file of a transfer is there.</summary>
    public bool HasPart(string name) => File.Exists(PartPath(name));

    /// <summary>True when a complete file is there.</summary>
    public bool HasFile(string name) => File.Exists(FilePath(name));

    /// <summary>Opens a complete file for reading.</summary>
    /// <exception cref="FileNotFoundException">It is gone.</exception>
    public SafeFileHandle OpenFile(string name) => OpenOurs(FilePath(name), FileAccess.Read);

    /// <summary>Makes a part whose bytes are on the disk a complete file, durably: when this returns, it is there after a power cut.</summary>
    public void Publish(string name)
    {
        using (var handle = OpenPart(name)) RandomAccess.FlushToDisk(handle);
        File.Move(PartPath(name), FilePath(name), overwrite: false);
        FlushFolder(_files);
    }

    /// <summary>Takes a complete file back that nobody was told of.</summary>
    public void Unpublish(string name) => File.Move(FilePath(name), PartPath(name), overwrite: false);

    /// <summary>Removes the file of a transfer.</summary>
    public void DeletePart(string name) => File.Delete(PartPath(name));

    /// <summary>Removes a complete file.</summary>
    public void DeleteFile(string name) => File.Delete(FilePath(name));

    /// <summary>Names on the disk with the time of their last change: of parts, or of complete files. Anything that isn't ours is left out.</summary>
    public IEnumerable<(string Name, DateTime ChangedAt)> List(bool parts)
    {
        foreach (var entry in new DirectoryInfo(parts ? _parts : _files).EnumerateFiles())
        {
            if (IsName(entry.Name)) yield return (entry.Name, entry.LastWriteTimeUtc);
        }
    }

    /// <summary>Bytes that are free for this user on the spool's disk.</summary>
    public long FreeBytes => new DriveInfo(_root).AvailableFreeSpace;

    private string PartPath(string name) => Path.Combine(_parts, Checked(name));

    private static string Checked(string name) =>
        IsName(name) ? name : throw new BridgeException(ErrorCodes.Internal, "invalid spool file name");

    private static SafeFileHandle OpenOurs(string path, FileAccess access)
    {
        // Nobody else may write in the folder; a link in it was put there by hand or by a fault, and is never followed.
        if (new FileInfo(path).LinkTarget is not null) throw new IOException("a symbolic link in the spool is not followed");
        return File.OpenHandle(path, FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete);
    }

    private static void MakeFolder(string path, bool mayBeLink)
    {
        if (!mayBeLink && new DirectoryInfo(path).LinkTarget is not null) throw new IOException($"{path} is a symbolic link; the spool follows none");
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }

        const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(path, Owner);
        if ((File.GetUnixFileMode(path) & ~Owner) != UnixFileMode.None) File.SetUnixFileMode(path, Owner);
    }

    private string TakeId()
    {
        var path = Path.Combine(_root, IdFile);
        if (File.Exists(path) && File.ReadAllText(path).Trim() is var known && IsName(known)) return known;
        var id = NewName();
        var temporary = $"{path}.{NewName()}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var stream = new FileStream(temporary, options))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(id));
            stream.Flush(flushToDisk: true);
        }

        try
        {
            // Two hosts may open a shared folder at the same time: the first one's id counts.
            File.Move(temporary, path, overwrite: false);
            return id;
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(temporary);
            return File.ReadAllText(path).Trim();
        }
    }

    private static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        var folder = OpenFolder(path, 0);
        if (folder < 0) throw new IOException($"open failed with error {Marshal.GetLastPInvokeError()}", Marshal.GetLastPInvokeError());
        var result = FlushDescriptor(folder);
        var error = Marshal.GetLastPInvokeError();
        _ = Close(folder);
        if (result != 0) throw new IOException($"fsync of a folder failed with error {error}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFolder(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FlushDescriptor(int descriptor);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FlushData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
