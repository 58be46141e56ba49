using System.Reflection;
using System.Runtime.InteropServices;
using ChannelBridge.Core.Errors;
using SQLitePCL;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>
/// Binds the managed provider to the SQLite library of the operating system, once per process. The system's library is preferred to a bundled
/// one because the distribution patches it.
/// </summary>
internal static class SqliteLibrary
{
    // UPDATE/INSERT … RETURNING came with 3.35.0.
    private const int OldestVersion = 3_035_000;

    private static readonly Lazy<BridgeException?> Fault = new(Load, LazyThreadSafetyMode.ExecutionAndPublication);

    /// <summary>The library's version, e.g. <c>3.40.1</c>; only after <see cref="EnsureLoaded"/>.</summary>
    public static string Version => raw.sqlite3_libversion().utf8_to_string();

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
            NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, Resolve);
        }
        catch (InvalidOperationException)
        {
            // Somebody else in this process has set a resolver for the provider: theirs decides.
        }

        try
        {
            raw.SetProvider(new SQLite3Provider_e_sqlite3());
            var version = raw.sqlite3_libversion_number();
            if (version < OldestVersion)
            {
                return new BridgeException(
                    ErrorCodes.StoreUnavailable, $"The SQLite library is version {Version}; 3.35 or newer is needed. Update the system's SQLite package.");
            }

            return raw.sqlite3_threadsafe() != 0
                ? null
                : new BridgeException(ErrorCodes.StoreUnavailable, "The SQLite library was built without thread support; install the system's own package.");
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            return NotFound(e);
        }
    }

    // 0 lets the runtime look for a bundled e_sqlite3 by its own rules.
    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        string.Equals(name, "e_sqlite3", StringComparison.Ordinal) ? LoadFirst(Candidates()) : IntPtr.Zero;
}
