using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Storage.Sqlite.Native;

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
        Sqlite3.Full => new BridgeException(ErrorCodes.StoreFull, "The store's disk is full; nothing was written. Make space, then try again.", e)
        {
            Retryable = true,
            RetryAfter = Later,
        },
        Sqlite3.ReadOnly or Sqlite3.Perm => new BridgeException(
            ErrorCodes.StoreReadOnly, "The store is read-only; nothing was written. Make its file and folder writable for the host.", e)
        {
            Retryable = true,
            RetryAfter = Later,
        },
        Sqlite3.Corrupt or Sqlite3.NotADatabase => new BridgeException(
            ErrorCodes.StoreCorrupt, "The store's file is damaged or not a database; nothing was written. Restore it from a backup.", e),
        Sqlite3.CantOpen => Unavailable("The store's file can't be opened; nothing was written. Check that its folder exists and is accessible.", e),
        Sqlite3.Busy or Sqlite3.Locked => Unavailable("Another program holds the store's lock; nothing was written.", e),
        Sqlite3.IoError => Unavailable("The store's disk failed to read or write; the request may or may not have been kept, so repeat it under the same id.", e),
        Sqlite3.Constraint => new BridgeException(ErrorCodes.Conflict, "An entry with this id exists already; nothing was written.", e),
        Sqlite3.TooBig => new BridgeException(ErrorCodes.PayloadTooLarge, "A value is larger than the store can hold (1 GB); nothing was written.", e),
        Sqlite3.NoMem => Unavailable("The host is out of memory; nothing was written.", e),
        _ => new BridgeException(ErrorCodes.Internal, "The store failed unexpectedly; the host's log says why.", e),
    };

    private static BridgeException Unavailable(string message, Exception cause) =>
        new(ErrorCodes.StoreUnavailable, message, cause) { Retryable = true, RetryAfter = Soon };
}
