using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Channels.MultiClaws;

/// <summary>What stands under <c>Channels:MultiClaws</c>.</summary>
internal static class MultiClawsSettings
{
    /// <summary>The channel's settings.</summary>
    public static readonly ChannelSettings<MultiClawsOptions> All = new ChannelSettings<MultiClawsOptions>("MultiClaws", Channel)
        .WithCheck(new MultiClawsOptionsValidator());

    private static void Channel(SettingGroup<MultiClawsOptions> keys) => keys
        .Text("DisplayName", o => o.DisplayName, (o, v) => o.DisplayName = v,
            "How this host is called in teams until its profile says otherwise; none: the machine's name", "The shop's assistant")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers members of this host's teams where they name none", "Channels:A2A:Agent")
        .Flag("AllowOpenTeams", o => o.AllowOpenTeams, (o, v) => o.AllowOpenTeams = v,
            "Whether teams that ask for no proof, as nodes without keys make them, may be created and joined")
        .List("Networks", (o, v) => o.Networks = v,
            "Where agents and members may be: `public`, networks, or both; none: anywhere but link-local addresses and those where clouds hand out secrets",
            "public, 10.1.0.0/16")
        .Duration("SessionTimeout", TimeSpan.FromSeconds(1), TimeSpan.FromDays(7), o => o.SessionTimeout, (o, v) => o.SessionTimeout = v,
            "How long a session's turn may take at the other agent before it counts as failed")
        .Number("MaxConcurrentSessions", 1, 1000, o => o.MaxConcurrentSessions, (o, v) => o.MaxConcurrentSessions = (int)v,
            "Sessions whose turns run at one time; further ones wait")
        .Number("MaxSessions", 4, 100_000, o => o.MaxSessions, (o, v) => o.MaxSessions = (int)v, "Sessions that are kept; the oldest ended ones make room")
        .Duration("SessionRetention", TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), o => o.SessionRetention, (o, v) => o.SessionRetention = v,
            "How long a session is kept after its end")
        .Flag("Notify", o => o.Notify, (o, v) => o.Notify = v, "Whether the conversation that started a session is told when it completes, needs input or fails")
        .Text("CompletedText", o => o.CompletedText, (o, v) => o.CompletedText = v,
            "What is said when a session completes; `{agent}`, `{session}` and `{text}` are filled in", "{agent} is done: {text}")
        .Text("InputText", o => o.InputText, (o, v) => o.InputText = v, "The same when a session needs input", "{agent} asks ({session}): {text}")
        .Text("FailedText", o => o.FailedText, (o, v) => o.FailedText = v, "The same when a session fails", "{agent} has failed: {text}");
}
