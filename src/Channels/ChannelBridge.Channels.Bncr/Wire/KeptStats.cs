namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>What of an account's statistics outlives the host; times are Unix milliseconds, 0 for never.</summary>
/// <param name="LastInboundAt">The last message that was accepted.</param>
/// <param name="LastOutboundAt">The last push.</param>
/// <param name="LastActivityAt">The last sign of a client.</param>
/// <param name="LastSessionKey">The conversation of the last message, or null.</param>
/// <param name="LastScope">Its route, or null.</param>
internal sealed record KeptStats(long LastInboundAt, long LastOutboundAt, long LastActivityAt, string? LastSessionKey, string? LastScope);
