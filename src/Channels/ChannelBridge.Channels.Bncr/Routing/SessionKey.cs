namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>
/// The name of a bncr conversation: <c>agent:AGENT:bncr:direct:HEX[:task:KEY]</c>, HEX being the lower-case hex of <c>platform:group:user</c> in
/// UTF-8. It says <c>direct</c> for groups, too.
/// </summary>
/// <param name="AgentId">The agent id.</param>
/// <param name="Route">The conversation.</param>
/// <param name="TaskKey">The sub-conversation, or null.</param>
internal readonly record struct SessionKey(string AgentId, BncrRoute Route, string? TaskKey = null)
{
    public const string DefaultAgentId = "main";

    /// <summary>The key without its task.</summary>
    public SessionKey Base => this with { TaskKey = null };

    public override string ToString() =>
        TaskKey is null ? $"agent:{AgentId}:bncr:direct:{Route.Hex}" : $"agent:{AgentId}:bncr:direct:{Route.Hex}:task:{TaskKey}";

    /// <summary>True for what may stand as the agent id: 1…64 letters, digits, <c>_</c>, <c>-</c> or <c>.</c>.</summary>
    public static bool IsAgentId(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text.Length > 64) return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-' or '.')) return false;
        }

        return true;
    }
}
