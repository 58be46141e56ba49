namespace ChannelBridge.Plugins;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int SupervisorLogRunning = 1;
    public const int SupervisorLogEnded = 2;
    public const int SupervisorLogQuarantined = 3;
    public const int SupervisorLogStopped = 4;
    public const int SupervisorLogKilled = 5;
    public const int SupervisorLogStderr = 6;
    public const int SupervisorLogCallFailed = 7;
    public const int SupervisorLogFull = 8;
    public const int PluginDeskLine = 20;
    public const int PluginSocketRefused = 25;
    public const int PluginHostRefused = 30;
    public const int PluginHostMissing = 31;
    public const int PluginHostUntrusted = 32;
    public const int PluginHostTakenBack = 33;
}
