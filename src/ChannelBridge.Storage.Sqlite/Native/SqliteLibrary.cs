using System.Reflection;
using System.Runtime.InteropServices;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>
/// Finds the SQLite engine, once per process: the one that comes with the package, else the operating system's. All stores of a process share it.
/// </summary>
internal static class SqliteLibrary
{
    /// <summary>The name by which <see cref="Sqlite3"/> asks for it.</summary>
    public const string Name = "sqlite3";

    private const string PackageName = "e_sqlite3";

    // UPDATE/INSERT … RETURNING came with 3.35.0.
    private const int OldestVersion = 3_035_000;

    private static readonly Lock Gate = new();
    private static bool _tried;
    private static BridgeException? _fault;
    private static SqliteEngine _wanted;

    /// <summary>The engine's version, e.g. <c>3.53.3</c>; only after <see cref="EnsureLoaded"/>.</summary>
    public static unsafe string Version => Marshal.PtrToStringUTF8((nint)Sqlite3.LibraryVersion()) ?? "";

    /// <summary>Which engine was loaded; only after <see cref="EnsureLoaded"/>.</summary>
    public static SqliteEngine Loaded { get; private set; }

    /// <summary>True when the loaded engine has the WAL-reset fault; only after <see cref="EnsureLoaded"/>.</summary>
    public static bool HasLogFault => HasFault(Sqlite3.LibraryVersionNumber());

    /// <summary>
    /// Loads the engine; throws what to install when there is none. The first call in a process decides: a library can't be exchanged while
    /// connections use it.
    /// </summary>
    public static void EnsureLoaded(SqliteEngine wanted = SqliteEngine.Package)
    {
        lock (Gate)
        {
            if (!_tried)
            {
                (_tried, _wanted) = (true, wanted);
                _fault = Load();
            }

            // A new exception each time, so that stack traces don't mix.
            if (_fault is { } fault) throw new BridgeException(fault.Code, fault.Message, fault.InnerException);
        }
    }

    /// <summary>
    /// True for versions in which a commit beside the start of a checkpoint can damage the file (the WAL-reset fault). It came with 3.7.0
    /// and was mended in 3.51.3, and in 3.50.7 and 3.44.6 for those who stay on older lines.
    /// </summary>
    internal static bool HasFault(int version) => version switch
    {
        >= 3_051_003 => false,
        >= 3_051_000 => true,
        >= 3_050_007 => false,
        >= 3_045_000 => true,
        >= 3_044_006 => false,
        _ => true,
    };

    /// <summary>The system's file names that are tried, best first.</summary>
    internal static IReadOnlyList<string> SystemNames()
    {
        if (OperatingSystem.IsWindows()) return ["winsqlite3.dll", "sqlite3.dll"];
        if (OperatingSystem.IsMacOS()) return ["/usr/lib/libsqlite3.dylib", "libsqlite3.dylib"];
        return ["libsqlite3.so.0", "libsqlite3.so"];
    }

    /// <summary>Loads the wanted engine, or the system's where the package's doesn't fit; 0 when there is none.</summary>
    internal static (IntPtr Handle, SqliteEngine Engine) Find(SqliteEngine wanted, Func<string, IntPtr> package, Func<string, IntPtr> system)
    {
        // The package's engine isn't there on a platform that it wasn't built for, and can't be loaded where the C library is too old.
        if (wanted == SqliteEngine.Package && package(PackageName) is not 0 and var bundled) return (bundled, SqliteEngine.Package);
        foreach (var name in SystemNames())
        {
            if (system(name) is not 0 and var handle) return (handle, SqliteEngine.System);
        }

        return (0, SqliteEngine.System);
    }

    /// <summary>What a result code means, in the engine's words.</summary>
    internal static unsafe string ErrorText(int code) => Marshal.PtrToStringUTF8((nint)Sqlite3.ErrorText(code)) ?? "";

    /// <summary>The error when no engine could be loaded.</summary>
    internal static BridgeException NotFound(SqliteEngine wanted, Exception? cause) => new(
        ErrorCodes.StoreUnavailable,
        (wanted == SqliteEngine.System
            ? "The system's SQLite library was not found. Install it ("
            : "The SQLite engine of the package doesn't run on this system, and the system's own was not found. Install that one (")
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
            return NotFound(_wanted, e);
        }
    }

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (!string.Equals(name, Name, StringComparison.Ordinal)) return 0;
        (var handle, Loaded) = Find(
            _wanted,
            package => NativeLibrary.TryLoad(package, assembly, null, out var found) ? found : 0,
            system => NativeLibrary.TryLoad(system, out var found) ? found : 0);
        return handle;
    }
}
