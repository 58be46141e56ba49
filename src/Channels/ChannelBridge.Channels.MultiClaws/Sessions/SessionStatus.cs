namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>How a session stands, in the words that clients know.</summary>
internal static class SessionStatus
{
    /// <summary>The other agent is at it, or is about to be.</summary>
    public const string Active = "active";

    /// <summary>The other agent waits for a reply.</summary>
    public const string InputRequired = "input-required";

    /// <summary>Ended well.</summary>
    public const string Completed = "completed";

    /// <summary>Ended badly.</summary>
    public const string Failed = "failed";

    /// <summary>Ended because somebody asked for it.</summary>
    public const string Canceled = "canceled";

    /// <summary>True when nothing follows.</summary>
    public static bool IsEnded(string status) => status is Completed or Failed or Canceled;

    /// <summary>
    /// True when a session may go from one state to the other: from active anywhere, from input-required to active or to an end that this host makes, from an ended one
    /// nowhere.
    /// </summary>
    public static bool MayFollow(string from, string to) => from switch
    {
        Active => to is Active or InputRequired or Completed or Failed or Canceled,
        InputRequired => to is Active or Failed or Canceled,
        _ => false,
    };
}
