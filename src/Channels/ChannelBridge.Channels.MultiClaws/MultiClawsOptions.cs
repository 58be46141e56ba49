namespace ChannelBridge.Channels.MultiClaws;

/// <summary>Settings of the MultiClaws channel (<c>Channels:MultiClaws</c>).</summary>
public sealed class MultiClawsOptions
{
    /// <summary>The section that the host binds: <c>Channels:MultiClaws</c>.</summary>
    public const string Section = "Channels:MultiClaws";

    /// <summary>How this host is called in teams until its profile says otherwise. Null (default): the machine's name.</summary>
    public string? DisplayName { get; set; }

    /// <summary>The agent of this host that answers members of its teams; null (default): the one that answers every peer, <c>Channels:A2A:Agent</c>.</summary>
    public string? Agent { get; set; }

    /// <summary>True: teams that ask for no proof, as nodes without keys make them, may be created and joined. Default false.</summary>
    public bool AllowOpenTeams { get; set; }

    /// <summary>
    /// Where agents and members may be: <c>public</c>, and networks such as <c>10.1.0.0/16</c>. Empty (default): anywhere that an operator may lead, which is neither
    /// link-local nor where clouds hand out secrets.
    /// </summary>
    public IReadOnlyList<string> Networks { get; set; } = [];

    /// <summary>How long a session's turn may take at the other agent before it counts as failed. Default 5 minutes.</summary>
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Sessions whose turns run at one time; further ones wait. Default 32.</summary>
    public int MaxConcurrentSessions { get; set; } = 32;

    /// <summary>Sessions that are kept; the oldest ended ones make room. Default 1,000.</summary>
    public int MaxSessions { get; set; } = 1000;

    /// <summary>How long a session is kept after its end. Default 7 days.</summary>
    public TimeSpan SessionRetention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>True (default): the conversation that started a session is told when it completes, needs input or fails.</summary>
    public bool Notify { get; set; } = true;

    /// <summary>What is said when a session completes; <c>{agent}</c>, <c>{session}</c> and <c>{text}</c> are filled in.</summary>
    public string CompletedText { get; set; } = "✅ {agent} has finished (session {session}):\n\n{text}";

    /// <summary>What is said when a session needs input.</summary>
    public string InputText { get; set; } =
        "📨 {agent} needs to know more (session {session}):\n\n{text}\n\nTo answer: multiclaws_session_reply with sessionId \"{session}\".";

    /// <summary>What is said when a session fails.</summary>
    public string FailedText { get; set; } = "❌ {agent} has failed (session {session}): {text}";
}
