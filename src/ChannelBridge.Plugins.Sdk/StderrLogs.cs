using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>Writes logs to stderr, a line each; the host puts them into its own log.</summary>
internal sealed class StderrLogs : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Lines(categoryName);

    public void Dispose()
    {
    }

    private sealed class Lines(string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            var fault = exception is null ? "" : $" {exception.GetType().Name}: {exception.Message}";
            var text = $"{logLevel}: {category}: {formatter(state, exception)}{fault}";
            Console.Error.WriteLine(text.ReplaceLineEndings(" "));
        }
    }
}
