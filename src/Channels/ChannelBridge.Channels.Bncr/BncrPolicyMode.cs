namespace ChannelBridge.Channels.Bncr;

/// <summary>Who may write to the agent through the host's own doors. In settings: <c>open</c>, <c>allowlist</c>, <c>disabled</c>.</summary>
public enum BncrPolicyMode
{
    /// <summary>Everybody whom a bridge with a token lets through.</summary>
    Open,

    /// <summary>Only the listed conversations.</summary>
    Allowlist,

    /// <summary>Nobody.</summary>
    Disabled,
}
