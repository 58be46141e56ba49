using System.Net.Sockets;
using ChannelBridge.Abstractions.Errors;
using Npgsql;

namespace ChannelBridge.Storage.Postgres;

/// <summary>Turns what the server says into what a caller can act on. Messages name no hosts or users: they may reach remote callers.</summary>
internal static class PostgresErrors
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(5);

    /// <summary>The error for a failed read or write.</summary>
    public static BridgeException Map(Exception exception) => exception switch
    {
        BridgeException e => e,
        PostgresException e => Map(e),
        NpgsqlException or IOException or SocketException or TimeoutException or OperationCanceledException => Unavailable(
            "The database can't be reached or didn't answer; the request may or may not have been kept, so repeat it under the same id.", exception),
        _ => new BridgeException(ErrorCodes.Internal, "The store failed unexpectedly; the host's log says why.", exception),
    };

    /// <summary>The store was closed or never opened.</summary>
    public static BridgeException Closed() =>
        new(ErrorCodes.StoreUnavailable, "The store is closed; try again when the host runs.") { Retryable = true, RetryAfter = Later };

    /// <summary>A write carried an outdated fencing token.</summary>
    public static BridgeException ClaimLost(Exception? cause = null) =>
        new(ErrorCodes.ClaimLost, "The claim is outdated: another host owns the lane or the account's pushes now. Nothing was written.", cause);

    /// <summary>True when trying the same again at once may succeed: another transaction was in the way.</summary>
    public static bool IsCollision(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    /// <summary>True when one write may be at fault, so that the others of its group deserve to be tried without it.</summary>
    public static bool IsOfOneWrite(Exception exception) => exception switch
    {
        // Classes 22 (data), 23 (constraints), 53 (resources: a smaller write may fit), 54 (limits).
        PostgresException e => e.SqlState.Length == 5 && e.SqlState[..2] is "22" or "23" or "53" or "54" || IsCollision(e),
        NpgsqlException or IOException or SocketException or TimeoutException or OperationCanceledException => false,
        _ => true,
    };

    /// <summary>True when the connection is gone, not when the server was slow to answer on it.</summary>
    public static bool IsLostConnection(Exception exception) => exception switch
    {
        PostgresException e => e.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.IdleSessionTimeout,
        NpgsqlException e => e.InnerException is IOException or SocketException,
        _ => false,
    };

    /// <summary>True when the server refuses one more connection: its own limit, the database's or the user's.</summary>
    public static bool IsShortage(PostgresException exception) => exception.SqlState == PostgresErrorCodes.TooManyConnections;

    /// <summary>
    /// True when driver and server may disagree about what has been said: something failed while a message was written, or the server doesn't know
    /// a statement that the driver has prepared. Such a connection must not go back to the pool; <see cref="NpgsqlDataSource.Clear"/> has it closed.
    /// Lost connections are closed by the driver itself.
    /// </summary>
    public static bool LeavesConnectionInDoubt(Exception exception) => exception switch
    {
        PostgresException e => e.SqlState == PostgresErrorCodes.InvalidSqlStatementName || e.SqlState.StartsWith("08", StringComparison.Ordinal),
        BridgeException or NpgsqlException or IOException or SocketException or TimeoutException or OperationCanceledException => false,
        _ => true,
    };

    private static BridgeException Map(PostgresException e) => e.SqlState switch
    {
        // Only the claim check divides: see GroupCommand.
        PostgresErrorCodes.DivisionByZero => ClaimLost(e),
        PostgresErrorCodes.UniqueViolation => new BridgeException(ErrorCodes.Conflict, "An entry with this id exists already; nothing was written.", e),
        PostgresErrorCodes.DiskFull => new BridgeException(ErrorCodes.StoreFull, "The database's disk is full; nothing was written. Make space, then try again.", e)
        {
            Retryable = true,
            RetryAfter = Later,
        },
        PostgresErrorCodes.TooManyConnections => Unavailable(
            "The database gives this host no connection more (its limit is reached); the request wasn't answered. Raise max_connections, or lower Maximum Pool Size.", e),
        PostgresErrorCodes.ReadOnlySqlTransaction => new BridgeException(
            ErrorCodes.StoreReadOnly, "The database is read-only, perhaps a replica; nothing was written. Point the host at the primary.", e)
        {
            Retryable = true,
            RetryAfter = Later,
        },
        PostgresErrorCodes.DataCorrupted or PostgresErrorCodes.IndexCorrupted => new BridgeException(
            ErrorCodes.StoreCorrupt, "The database is damaged; nothing was written. Restore it from a backup.", e),
        PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter => new BridgeException(
            ErrorCodes.InvalidRequest, "A key holds a character that the database can't store (NUL); nothing was written.", e),
        PostgresErrorCodes.ProgramLimitExceeded => new BridgeException(
            ErrorCodes.PayloadTooLarge, "A key or value is larger than the database can hold; nothing was written.", e),
        _ when e.SqlState.StartsWith("42", StringComparison.Ordinal) => new BridgeException(
            ErrorCodes.StoreUnavailable, "The store's tables are missing or the host's user lacks a right on them; the host's log says which.", e)
        {
            Retryable = true,
            RetryAfter = Later,
        },
        _ => Unavailable("The database refused; nothing was written. The host's log says why.", e),
    };

    private static BridgeException Unavailable(string message, Exception cause) =>
        new(ErrorCodes.StoreUnavailable, message, cause) { Retryable = true, RetryAfter = Soon };
}
