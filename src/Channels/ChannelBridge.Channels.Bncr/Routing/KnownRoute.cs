namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>A conversation as recorded.</summary>
internal sealed class KnownRoute
{
    public string AccountId { get; set; } = "";

    public string Platform { get; set; } = "";

    public string GroupId { get; set; } = "";

    public string UserId { get; set; } = "";

    /// <summary>The session key without a task.</summary>
    public string SessionKey { get; set; } = "";

    /// <summary>Unix milliseconds.</summary>
    public long UpdatedAt { get; set; }
}
