namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Result of <c>bncr.account.forget</c>.</summary>
/// <param name="AccountId">The account in its display case.</param>
/// <param name="Forgotten">False when there was none of that name.</param>
/// <param name="Conversations">Known conversations that went with it.</param>
internal sealed record ForgetResult(string AccountId, bool Forgotten, int Conversations);
