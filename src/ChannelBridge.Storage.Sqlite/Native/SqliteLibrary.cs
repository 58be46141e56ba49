using System.Reflection;
using System.Runtime.InteropServices;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>
/// Finds the SQLite library of the operating system, once per process. No other is bundled, because the distribution patches its own.
/// </summary>
internal static class SqliteLibrary
{
    /// <summary>The name by which <see cref="Sqlite3"/> asks for it.</summary>
    public const string Name = "sqlite3";

    // UPDATE/INSERT … RETURNING came with 3.35.0.
    private const int OldestVersion = 3_035_000;

    private static readonly Lazy<BridgeException?> Fault = new(Load, LazyThreadSafetyMode.ExecutionAndPublication);

    /// <summary>The library's version, e.g. <c>3.40.1</c>; only after <see cref="EnsureLoaded"/>.</summary>
    public static unsafe string Version => Marshal.PtrToStringUTF8((nint)Sqlite3.LibraryVersion()) ?? "";

    /// <summary>Loads the library; throws what to install when it isn't there.</summary>
    public static void EnsureLoaded()
    {
        // A new exception each time, so that stack traces don't mix.
        if (Fault.Value is { } fault) throw new BridgeException(fault.Code, fault.Message, fault.InnerException);
    }

    /// <summary>The file names that are tried, best first.</summary>
    internal static IReadOnlyList<string> Candidates()
    {
        if (OperatingSystem.IsWindows()) return ["winsqlite3.dll", "sqlite3.dll"];
        if (OperatingSystem.IsMacOS()) return ["/usr/lib/libsqlite3.dylib", "libsqlite3.dylib"];
        return ["libsqlite3.so.0", "libsqlite3.so"];
    }

    /// <summary>Loads the first library of a list that is there; 0 when none is.</summary>
    internal static IntPtr LoadFirst(IEnumerable<string> names)
    {
        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, out var handle)) return handle;
        }

        return IntPtr.Zero;
    }

    /// <summary>What a result code means, in the engine's words.</summary>
    internal static unsafe string ErrorText(int code) => Marshal.PtrToStringUTF8((nint)Sqlite3.ErrorText(code)) ?? "";

    /// <summary>The error when no library could be loaded.</summary>
    internal static BridgeException NotFound(Exception? cause) => new(
        ErrorCodes.StoreUnavailable,
        "The SQLite library was not found. Install it ("
        + (OperatingSystem.IsWindows() ? "Windows 10 and later bring winsqlite3.dll; otherwise put sqlite3.dll beside the program"
            : OperatingSystem.IsMacOS() ? "macOS brings /usr/lib/libsqlite3.dylib; otherwise `brew install sqlite`"
            : "Debian and Ubuntu: `apt-get install libsqlite3-0`; Fedora: `dnf install sqlite-libs`; Alpine: `apk add sqlite-libs`")
        + "), or choose another store.",
        cause);

    private static BridgeException? Load()
    {
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(Sqlite3).Assembly, Resolve);
            var version = Sqlite3.LibraryVersionNumber();

            // Nobody asks how much memory the engine uses, and keeping count takes a lock at each allocation. It may say no: then it counts.
            if (OperatingSystem.IsLinux()) _ = Sqlite3.Configure(Sqlite3.ConfigMemoryStatus, 0);
            if (version < OldestVersion)
            {
                return new BridgeException(
                    ErrorCodes.StoreUnavailable, $"The SQLite library is version {Version}; 3.35 or newer is needed. Update the system's SQLite package.");
            }

            return Sqlite3.ThreadSafe() != 0
                ? null
                : new BridgeException(ErrorCodes.StoreUnavailable, "The SQLite library was built without thread support; install the system's own package.");
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            return NotFound(e);
        }
    }

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        string.Equals(name, Name, StringComparison.Ordinal) ? LoadFirst(Candidates()) : IntPtr.Zero;
}
