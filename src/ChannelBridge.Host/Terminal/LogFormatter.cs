using System.Globalization;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace ChannelBridge.Host.Terminal;

/// <summary>
/// The log on standard error: time, level, category and message, one line an event. A fault that the code knows (a provider, the network,
/// the disk) adds its text; the stack comes with unexpected faults, or when the level is Debug or Trace.
/// </summary>
internal sealed class LogFormatter(TimeProvider time, LogLevelSwitch level) : ConsoleFormatter(FormatterName)
{
    /// <summary>The name by which the console logger finds it.</summary>
    public const string FormatterName = "channelbridge";

    private const int DeepestCause = 8;
    private readonly RepeatGate _gate = new(time);
    private readonly bool _colour = !Console.IsErrorRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <inheritdoc/>
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        ArgumentNullException.ThrowIfNull(textWriter);
        if (logEntry.Formatter?.Invoke(logEntry.State, logEntry.Exception) is not { } message) return;
        var leftOut = 0;
        var all = level.Level <= LogLevel.Debug;
        if (logEntry.LogLevel >= LogLevel.Warning && !all
            && !_gate.Opens(logEntry.Category, logEntry.EventId.Id, logEntry.Exception?.GetType().FullName, out leftOut)) return;
        textWriter.Write(time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ ", CultureInfo.InvariantCulture));
        var (word, colour) = WordOf(logEntry.LogLevel);
        textWriter.Write(_colour ? $"\u001b[{colour}m{word}\u001b[0m: " : $"{word}: ");
        textWriter.Write(PlainText.Line(logEntry.Category));
        textWriter.Write(' ');
        textWriter.Write(PlainText.Line(message));
        if (logEntry.Exception is { } fault) textWriter.Write(PlainText.Line($" [{Describe(fault)}]"));
        if (leftOut > 0) textWriter.Write($" (and {leftOut.ToString(CultureInfo.InvariantCulture)} more like this within the last minute)");
        textWriter.WriteLine();
        if (logEntry.Exception is { } unexpected && (all || !IsKnown(unexpected))) textWriter.WriteLine(
            PlainText.Clean(unexpected.ToString()));
    }

    /// <summary>The texts of a fault and of its causes, each once.</summary>
    private static string Describe(Exception fault)
    {
        var texts = new List<string>();
        var depth = 0;
        for (Exception? cause = fault; cause is not null && depth++ < DeepestCause; cause = cause.InnerException)
        {
            var text = cause is BridgeException known ? $"{known.Code}: {known.Message}" : cause.Message;
            if (!texts.Exists(before => before.Contains(text, StringComparison.Ordinal))) texts.Add(text);
        }

        return string.Join(" <- ", texts);
    }

    /// <summary>Faults of the host's surroundings (network, disk, providers): their text is enough.</summary>
    private static bool IsKnown(Exception fault) => fault.GetType().Namespace?.StartsWith("ChannelBridge.",
        StringComparison.Ordinal) == true || fault is IOException or UnauthorizedAccessException or HttpRequestException
        or TimeoutException or OperationCanceledException or System.Net.Sockets.SocketException or System.Net.WebSockets.WebSocketException
        or System.Data.Common.DbException or System.Text.Json.JsonException;

    private static (string Word, string Colour) WordOf(LogLevel level) => level switch
    {
        LogLevel.Trace => ("trce", "90"),
        LogLevel.Debug => ("dbug", "90"),
        LogLevel.Information => ("info", "32"),
        LogLevel.Warning => ("warn", "33"),
        LogLevel.Error => ("fail", "31"),
        _ => ("crit", "1;31"),
    };
}
