namespace ChannelBridge.Channels.MultiClaws;

/// <summary>
/// The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event. Sessions have 1 to 199; agents, teams and the
/// profile 200 to 399.
/// </summary>
internal static class LogEvents
{
    public const int SessionEnded = 1;
    public const int SessionRetries = 2;
    public const int SessionFault = 3;
    public const int SessionNotNotified = 4;
    public const int SessionNotCanceled = 5;
    public const int SessionUnexpected = 6;
    public const int SessionDeskFault = 7;
    public const int SessionDeskUnexpected = 8;
    public const int MemberNotTold = 200;
    public const int MemberToldAtLast = 201;
    public const int TeamSpreadFault = 202;
    public const int TeamsNotRefreshed = 203;
    public const int TeamChanged = 204;
    public const int OnboardingNotTold = 205;
}
