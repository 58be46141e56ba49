using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Channels.Bncr;

/// <summary>What the names of events begin with. The gateway drops events whose name doesn't begin with <c>plugin.</c>, so there is no choice there.</summary>
internal static class EventPrefixes
{
    public const string Own = "bncr";
    public const string Gateway = "plugin.bncr";

    public const string Push = ".push";
    public const string Partial = ".partial";
    public const string LeaseLost = ".lease.lost";
    public const string LeaseRegained = ".lease.regained";
    public const string RpcRequest = ".rpc.request";
    public const string FileInit = ".file.init";
    public const string FileChunk = ".file.chunk";
    public const string FileComplete = ".file.complete";
    public const string FileAbort = ".file.abort";
    public const string FileAck = ".file.ack";

    private static readonly string[] Suffixes =
        [Push, Partial, LeaseLost, LeaseRegained, RpcRequest, FileInit, FileChunk, FileComplete, FileAbort, FileAck];

    public static IEnumerable<string> All =>
        from prefix in new[] { Own, Gateway } from suffix in Suffixes select prefix + suffix;

    /// <summary>The prefix for a client.</summary>
    /// <exception cref="Abstractions.Errors.BridgeException">It asked for one that doesn't exist.</exception>
    public static string Choose(Door door, string? asked, string configured)
    {
        asked = asked?.Trim().TrimEnd('.');
        if (!string.IsNullOrEmpty(asked) && asked is not (Own or Gateway))
        {
            throw Refusals.Invalid("event-prefix", $"eventPrefix must be \"{Own}\" or \"{Gateway}\"");
        }

        if (door is Door.Gateway) return Gateway;
        return string.IsNullOrEmpty(asked) ? configured : asked;
    }
}
