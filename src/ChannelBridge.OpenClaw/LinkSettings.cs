using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.OpenClaw;

/// <summary>The keys of the agent <c>openclaw</c> and the link to its plugin.</summary>
internal static class LinkSettings
{
    /// <summary>The keys.</summary>
    public static readonly SettingGroup<LinkOptions> Keys = new SettingGroup<LinkOptions>("Agents:openclaw:")
        .Duration("TurnTimeout", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), o => o.TurnTimeout, (o, v) => o.TurnTimeout = v,
            "The longest time for one turn of the gateway's agent; a little less than `Limits:TurnTimeout`")
        .Duration("CallTimeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10), o => o.CallTimeout, (o, v) => o.CallTimeout = v,
            "How long the gateway may take to answer a call")
        .Number("MaxConnections", 1, 1_000_000, o => o.MaxConnections, (o, v) => o.MaxConnections = (int)v, "Gateway connections that the link may speak for")
        .Number("RecentTurns", 1, 10_000_000, o => o.RecentTurns, (o, v) => o.RecentTurns = (int)v, "Turns remembered for the replies that name them")
        .Duration("LateReplies", TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), o => o.LateReplies, (o, v) => o.LateReplies = v,
            "How long a turn without a reply may still be answered");
}
