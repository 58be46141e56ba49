using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Transfers;

/// <summary>
/// The errors of transfers: a stable code, a sentence that says what to do, a <c>reason</c> for programs in <c>details</c>, and where there is one the
/// text that old clients know.
/// </summary>
internal static class TransferErrors
{
    /// <summary>No such transfer of the caller's account.</summary>
    public static BridgeException NotFound() => Make(
        ErrorCodes.NotFound, "transfer-not-found", "this account has no such transfer; call init first", "transfer not found");

    /// <summary>The transfer is another client's.</summary>
    public static BridgeException NotOwner() => Make(
        ErrorCodes.Forbidden, "transfer-not-yours", "the transfer belongs to another client; use its clientId and access token, or another transferId");

    /// <summary>A malformed parameter.</summary>
    public static BridgeException Invalid(string reason, string message, string? legacyText = null) =>
        Make(ErrorCodes.InvalidRequest, reason, message, legacyText);

    /// <summary>Something is larger than its limit.</summary>
    public static BridgeException TooLarge(string reason, string message) => Make(ErrorCodes.PayloadTooLarge, reason, message);

    /// <summary>The request disagrees with what is there.</summary>
    public static BridgeException Conflict(string reason, string message, string? legacyText = null) =>
        Make(ErrorCodes.Conflict, reason, message, legacyText);

    /// <summary>A quota is used up.</summary>
    public static BridgeException Quota(string reason, string message, TimeSpan? retryAfter = null) => new(ErrorCodes.QuotaExceeded, message)
    {
        Details = new JsonObject { ["reason"] = reason },
        Retryable = true,
        RetryAfter = retryAfter ?? TimeSpan.FromMinutes(1),
    };

    /// <summary>The disk is full, or would be.</summary>
    public static BridgeException DiskFull(string message, Exception? cause = null) => new(ErrorCodes.StoreFull, message, cause)
    {
        Details = new JsonObject { ["reason"] = "disk-full" },
        Retryable = true,
        RetryAfter = TimeSpan.FromSeconds(30),
    };

    /// <summary>The spool can't be used.</summary>
    public static BridgeException SpoolFailed(Exception cause) => new(
        ErrorCodes.StoreUnavailable, "the spool folder can't be read or written; the host's log says why", cause)
    {
        Details = new JsonObject { ["reason"] = "spool-failed" },
        Retryable = true,
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    /// <summary>The bytes lie in the spool of another host.</summary>
    public static BridgeException OtherSpool() => new(
        ErrorCodes.Unavailable,
        "the file lies in the spool of another host; connect to that one, or let the hosts share one folder (Store:Files:Folder)")
    {
        Details = new JsonObject { ["reason"] = "other-spool" },
        Retryable = true,
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    /// <summary>Any error of transfers.</summary>
    public static BridgeException Make(string code, string reason, string message, string? legacyText = null) =>
        new(code, message) { LegacyText = legacyText, Details = new JsonObject { ["reason"] = reason } };

    /// <summary>What an I/O fault of the spool means for the caller.</summary>
    internal static BridgeException Translate(Exception fault) => IsDiskFull(fault)
        ? DiskFull("the disk of the spool is full; the chunk was not taken, send it again when there is room", fault)
        : SpoolFailed(fault);

    // ENOSPC and EDQUOT on Linux (macOS: 28 and 69); ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL on Windows.
    private static bool IsDiskFull(Exception fault) => fault is IOException io
        && (OperatingSystem.IsWindows() ? (io.HResult & 0xFFFF) is 112 or 39 : io.HResult is 28 or 122 or 69 || (io.HResult & 0xFFFF) == 112);
}
