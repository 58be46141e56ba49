using ChannelBridge.Core.Errors;
using ChannelBridge.Storage.Sqlite.Native;
using SQLitePCL;

namespace ChannelBridge.Storage.Sqlite;

/// <summary>Turns what the engine says into what a caller can act on. Messages name no paths: they may reach remote callers.</summary>
internal static class StoreErrors
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(5);

    /// <summary>The error for a failed read or write.</summary>
    public static BridgeException Map(Exception exception) => exception switch
    {
        BridgeException e => e,
        SqliteException e => Map(e),
        IOException or UnauthorizedAccessException => Unavailable("The store's file can't be accessed; the host's log says why.", exception),
        _ => new BridgeException(ErrorCodes.Internal, "The store failed unexpectedly; the host's log says why.", exception),
    };

    /// <summary>The store was closed or never opened.</summary>
    public static BridgeException Closed() =>
        new(ErrorCodes.StoreUnavailable, "The store is closed; try again when the host runs.") { Retryable = true, RetryAfter = Later };

    private static BridgeException Map(SqliteException e) => e.Code switch
    {
        raw.SQLITE_FULL => new BridgeException(ErrorCodes.StoreFull, "The store's disk is full; nothing was written. Make space, then try again.", e)
        {
            Retryable = true,
            RetryAfter = Later,
        },
        raw.SQLITE_READONLY or raw.SQLITE_PERM => new BridgeException(
            ErrorCodes.StoreReadOnly, "The store is read-only; nothing was written. Make its file and folder writable for the host.", e)
        {
            Retryable = true,
            RetryAfter = Later,
        },
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => new BridgeException(
            ErrorCodes.StoreCorrupt, "The store's file is damaged or not a database; nothing was written. Restore it from a backup.", e),
        raw.SQLITE_CANTOPEN => Unavailable("The store's file can't be opened; nothing was written. Check that its folder exists and is accessible.", e),
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => Unavailable("Another program holds the store's lock; nothing was written.", e),
        raw.SQLITE_IOERR => Unavailable("The store's disk failed to read or write; the request may or may not have been kept, so repeat it under the same id.", e),
        raw.SQLITE_CONSTRAINT => new BridgeException(ErrorCodes.Conflict, "An entry with this id exists already; nothing was written.", e),
        raw.SQLITE_TOOBIG => new BridgeException(ErrorCodes.PayloadTooLarge, "A value is larger than the store can hold (1 GB); nothing was written.", e),
        raw.SQLITE_NOMEM => Unavailable("The host is out of memory; nothing was written.", e),
        _ => new BridgeException(ErrorCodes.Internal, "The store failed unexpectedly; the host's log says why.", e),
    };

    private static BridgeException Unavailable(string message, Exception cause) =>
        new(ErrorCodes.StoreUnavailable, message, cause) { Retryable = true, RetryAfter = Soon };
}
