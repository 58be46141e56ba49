using System.Globalization;
using System.Runtime.InteropServices;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// Whether a file or folder may be believed: only we and root may have a say in it. A data folder, its settings or a token that others
/// can write would let them choose what the host does.
/// </summary>
internal static class FileTrust
{
    private const int CurrentFolder = -100;
    private const uint WantKind = 0x1;
    private const uint WantOwner = 0x8 | 0x10;

    /// <summary>
    /// What is wrong with it and what to do; null when nothing is, when it doesn't exist, and on Windows, where folders have access lists
    /// of their own.
    /// </summary>
    public static string? Problem(string path) => OwnerProblem(path) ?? (OthersWrite(path)
        ? $"other users can write to {path}; see that nothing in it was changed, then close it with: chmod go-w {path}"
        : null);

    /// <summary>What is wrong with the owner of a file or folder; null when nothing is.</summary>
    public static string? OwnerProblem(string path)
    {
        if (OperatingSystem.IsWindows() || !Path.Exists(path) || Owner(Resolve(path)) is not { } owner) return null;
        return owner.User == 0 || owner.User == EffectiveUser()
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"{path} belongs to another user ({owner.User}), who could change it; choose "
                + $"another one, or take it over with: chown {EffectiveUser()} {path}");
    }

    /// <summary>
    /// True when users beside us and root can write to it. A group of our own doesn't count: many systems give each user one.
    /// </summary>
    public static bool OthersWrite(string path)
    {
        if (OperatingSystem.IsWindows() || !Path.Exists(path)) return false;
        var real = Resolve(path);
        var mode = File.GetUnixFileMode(real);
        if ((mode & UnixFileMode.OtherWrite) != UnixFileMode.None) return true;
        return (mode & UnixFileMode.GroupWrite) != UnixFileMode.None && Owner(real) is not (_, 0) && Owner(real)?.Group != EffectiveGroup();
    }

    /// <summary>
    /// What is wrong when a file that only this program makes is a link: following it could read or overwrite something else.
    /// </summary>
    public static string? LinkProblem(string path) =>
        new FileInfo(path).LinkTarget is { } target ? $"{path} is a link (to {target}), which is not followed; remove it" : null;

    /// <summary>The user and the group that own it; null where the system doesn't tell.</summary>
    internal static (uint User, uint Group)? Owner(string path)
    {
        if (!OperatingSystem.IsLinux()) return null;
        try
        {
            // struct statx has the same layout on every architecture: the user is at byte 20, the group at byte 24.
            Span<byte> status = stackalloc byte[256];
            return Statx(CurrentFolder, path, 0, WantOwner, ref MemoryMarshal.GetReference(status)) == 0
                ? (MemoryMarshal.Read<uint>(status[20..]), MemoryMarshal.Read<uint>(status[24..]))
                : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>False for a pipe, a socket or a device, where that can be told: reading one may never end.</summary>
    internal static bool IsRegular(string path)
    {
        if (!OperatingSystem.IsLinux()) return true;
        try
        {
            // The kind is in the upper four bits of the mode, at byte 28.
            Span<byte> status = stackalloc byte[256];
            return Statx(CurrentFolder, path, 0, WantKind, ref MemoryMarshal.GetReference(status)) != 0
                || (MemoryMarshal.Read<ushort>(status[28..]) & 0xF000) == 0x8000;
        }
        catch (EntryPointNotFoundException)
        {
            return true;
        }
    }

    private static string Resolve(string path) =>
        File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint EffectiveUser();

    [DllImport("libc", EntryPoint = "getegid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint EffectiveGroup();

    [DllImport("libc", EntryPoint = "statx", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Statx(int folder, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, ref byte status);
}
