namespace ChannelBridge.Channels.Bncr;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int LeaseTableTakeover = 2001;
    public const int LeaseTableNoAckers = 2002;
    public const int LeaseTableNotTold = 2003;
    public const int LeaseTableContested = 2004;
    public const int AckingClientsNotWritten = 2101;
    public const int RouteBookNotWritten = 2201;
    public const int RouteBookNotCounted = 2202;
    public const int BncrAccountsNotWritten = 2301;
    public const int StatsBookNotWritten = 2401;
}
