using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Supervision;

internal static partial class SupervisorLog
{
    [LoggerMessage(LogEvents.SupervisorLogRunning, LogLevel.Information, "Plugin {Plugin} {Version} runs as process {Process}")]
    public static partial void Running(ILogger logger, string plugin, string version, int process);

    [LoggerMessage(LogEvents.SupervisorLogEnded, LogLevel.Warning, "Plugin {Plugin}: {Reason}; it is started again in {Seconds} s")]
    public static partial void Ended(ILogger logger, string plugin, string reason, double seconds);

    [LoggerMessage(LogEvents.SupervisorLogQuarantined, LogLevel.Error,
        "Plugin {Plugin}: {Reason}; it was started {Starts} times in {Minutes} min and isn't started again until you say "
        + "'plugins restart {Plugin}'. Its messages wait")]
    public static partial void Quarantined(ILogger logger, string plugin, string reason, int starts, double minutes);

    [LoggerMessage(LogEvents.SupervisorLogStopped, LogLevel.Information, "Plugin {Plugin} is stopped")]
    public static partial void Stopped(ILogger logger, string plugin);

    [LoggerMessage(LogEvents.SupervisorLogKilled, LogLevel.Warning, "Plugin {Plugin} didn't stop when asked and was ended")]
    public static partial void Killed(ILogger logger, string plugin);

    [LoggerMessage(LogEvents.SupervisorLogStderr, LogLevel.Information, "[{Plugin}] {Line}")]
    public static partial void Stderr(ILogger logger, string plugin, string line);

    [LoggerMessage(LogEvents.SupervisorLogCallFailed, LogLevel.Error, "A call of plugin {Plugin} failed: {Method}")]
    public static partial void CallFailed(ILogger logger, Exception fault, string plugin, string method);

    [LoggerMessage(LogEvents.SupervisorLogFull, LogLevel.Error,
        "Plugin {Plugin}: {Reason}; it is stopped until you have made room, or allow more, and say 'plugins restart {Plugin}'. Its messages wait")]
    public static partial void Full(ILogger logger, string plugin, string reason);
}
