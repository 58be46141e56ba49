using System.Text;

namespace ChannelBridge.OpenClaw;

/// <summary>The gateway's session of a lane. The gateway's keys begin with <c>agent:AGENT:</c> and have no upper case.</summary>
internal static class GatewaySession
{
    private const string Prefix = "agent:";

    /// <summary>True for a lane whose key is the gateway's own already.</summary>
    public static bool IsNamed(string laneKey) => laneKey.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>
    /// The session's key: the lane's own where it is one of the gateway's, else the lane's behind the agent's. The gateway writes keys in
    /// lower case, and two lanes whose keys differ by case only are two conversations: such a key stands there in hexadecimal.
    /// </summary>
    /// <param name="agentId">The gateway's agent for the lane's account.</param>
    /// <param name="laneKey">The lane's key.</param>
    public static string KeyOf(string agentId, string laneKey)
    {
        if (IsNamed(laneKey)) return laneKey;
        var key = laneKey.EnumerateRunes().Any(rune => Rune.ToLowerInvariant(rune) != rune) ? Convert.ToHexStringLower(Encoding.UTF8.GetBytes(laneKey)) : laneKey;
        return $"{Prefix}{agentId}:{key}";
    }

    /// <summary>The agent that a session's key names.</summary>
    public static string AgentOf(string sessionKey)
    {
        var rest = sessionKey.AsSpan(Prefix.Length);
        var end = rest.IndexOf(':');
        return end > 0 ? rest[..end].ToString() : "main";
    }
}
