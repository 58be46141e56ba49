using System.Runtime.InteropServices;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>
/// The functions of SQLite's C interface that the store uses, by their own names (https://www.sqlite.org/c3ref/funclist.html). Handles are plain
/// pointers: <see cref="SqliteDatabase"/> and <see cref="SqliteStatement"/> own them. Results that nobody can act on are not declared.
/// </summary>
/// <remarks>
/// Binding a number, resetting and reading a column take some nanoseconds and never block, so those calls skip the change of the collector's mode
/// (<see cref="SuppressGCTransitionAttribute"/>); whatever may read, write, wait or copy much doesn't.
/// </remarks>
internal static unsafe partial class Sqlite3
{
    public const int Ok = 0;
    public const int Perm = 3;
    public const int Busy = 5;
    public const int Locked = 6;
    public const int NoMem = 7;
    public const int ReadOnly = 8;
    public const int IoError = 10;
    public const int Corrupt = 11;
    public const int Full = 13;
    public const int CantOpen = 14;
    public const int TooBig = 18;
    public const int Constraint = 19;
    public const int NotADatabase = 26;
    public const int Row = 100;
    public const int Done = 101;
    public const int IoErrorWrite = IoError | (3 << 8);
    public const int IoErrorFsync = IoError | (4 << 8);

    public const int OpenReadOnly = 0x1;
    public const int OpenReadWrite = 0x2;
    public const int OpenNoMutex = 0x8000;
    public const uint PreparePersistent = 1;
    public const int NullType = 5;
    public const int CheckpointPassive = 0;
    public const int ConfigMemoryStatus = 9;

    /// <summary>Lets the engine copy what it is given.</summary>
    public static readonly nint Transient = -1;

    private const string Library = SqliteLibrary.Name;

    [LibraryImport(Library, EntryPoint = "sqlite3_libversion_number")]
    public static partial int LibraryVersionNumber();

    [LibraryImport(Library, EntryPoint = "sqlite3_libversion")]
    public static partial byte* LibraryVersion();

    [LibraryImport(Library, EntryPoint = "sqlite3_threadsafe")]
    public static partial int ThreadSafe();

    // Declared without its variable arguments, which the calling conventions of Linux pass alike.
    [LibraryImport(Library, EntryPoint = "sqlite3_config")]
    public static partial int Configure(int option, int value);

    [LibraryImport(Library, EntryPoint = "sqlite3_open_v2", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, out nint database, int flags, nint vfs);

    [LibraryImport(Library, EntryPoint = "sqlite3_close_v2")]
    public static partial void Close(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_extended_result_codes")]
    public static partial void ExtendedResultCodes(nint database, int on);

    [LibraryImport(Library, EntryPoint = "sqlite3_busy_timeout")]
    public static partial void BusyTimeout(nint database, int milliseconds);

    [LibraryImport(Library, EntryPoint = "sqlite3_extended_errcode")]
    public static partial int ExtendedErrorCode(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_errmsg")]
    public static partial byte* ErrorMessage(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_errstr")]
    public static partial byte* ErrorText(int code);

    [LibraryImport(Library, EntryPoint = "sqlite3_get_autocommit")]
    public static partial int GetAutoCommit(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_changes")]
    [SuppressGCTransition]
    public static partial int Changes(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_last_insert_rowid")]
    [SuppressGCTransition]
    public static partial long LastInsertRowId(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_wal_hook")]
    public static partial nint SetLogHook(nint database, delegate* unmanaged<void*, nint, byte*, int, int> hook, void* state);

    [LibraryImport(Library, EntryPoint = "sqlite3_wal_checkpoint_v2")]
    public static partial int Checkpoint(nint database, nint name, int mode, out int frames, out int moved);

    [LibraryImport(Library, EntryPoint = "sqlite3_prepare_v3")]
    public static partial int Prepare(nint database, byte* sql, int length, uint flags, out nint statement, out byte* rest);

    [LibraryImport(Library, EntryPoint = "sqlite3_finalize")]
    public static partial void Finalize(nint statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_step")]
    public static partial int Step(nint statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_reset")]
    public static partial void Reset(nint statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_stmt_status")]
    public static partial int StatementStatus(nint statement, int counter, int reset);

    [LibraryImport(Library, EntryPoint = "sqlite3_clear_bindings")]
    public static partial void ClearBindings(nint statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_int64")]
    [SuppressGCTransition]
    public static partial int BindInt64(nint statement, int index, long value);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_null")]
    [SuppressGCTransition]
    public static partial int BindNull(nint statement, int index);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_blob")]
    public static partial int BindBlob(nint statement, int index, byte* value, int length, nint destructor);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_text")]
    public static partial int BindText(nint statement, int index, byte* value, int length, nint destructor);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_type")]
    [SuppressGCTransition]
    public static partial int ColumnType(nint statement, int column);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_int64")]
    [SuppressGCTransition]
    public static partial long ColumnInt64(nint statement, int column);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_blob")]
    public static partial byte* ColumnBlob(nint statement, int column);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_bytes")]
    [SuppressGCTransition]
    public static partial int ColumnBytes(nint statement, int column);
}
