namespace ChannelBridge.Agents;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int ProviderAgentFailed = 6001;
}
