namespace ChannelBridge.Abstractions.Messaging;

/// <summary>The name of a lane: one conversation of one account of one channel.</summary>
/// <param name="Channel">The channel id, e.g. <c>bncr</c>.</param>
/// <param name="Account">The account id in lower case (account ids are case-insensitive).</param>
/// <param name="SessionKey">The canonical session key.</param>
public readonly record struct LaneKey(string Channel, string Account, string SessionKey);
