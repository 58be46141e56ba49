using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace ChannelBridge.Host.Terminal;

/// <summary>The log's level, which can be changed while the host runs.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A token source without a timer holds nothing; a changed one is replaced.")]
internal sealed class LogLevelSwitch(LogLevel level) : IConfigureOptions<LoggerFilterOptions>,
    IOptionsChangeTokenSource<LoggerFilterOptions>
{
    private volatile CancellationTokenSource _change = new();
    private volatile int _level = (int)level;

    /// <summary>What is logged.</summary>
    public LogLevel Level => (LogLevel)_level;

    /// <inheritdoc/>
    public string? Name => Options.DefaultName;

    /// <inheritdoc/>
    public IChangeToken GetChangeToken() => new CancellationChangeToken(_change.Token);

    /// <summary>Logs this level from now on.</summary>
    public void Set(LogLevel level)
    {
        _level = (int)level;
        Interlocked.Exchange(ref _change, new CancellationTokenSource()).Cancel();
    }

    /// <inheritdoc/>
    public void Configure(LoggerFilterOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.MinLevel = Level;
        options.Rules.Add(new LoggerFilterRule(null, "Microsoft", Level > LogLevel.Warning ? Level : LogLevel.Warning, null));
        // What goes wrong at the start is told once, by the command line.
        options.Rules.Add(new LoggerFilterRule(null, "Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical, null));
        // This logger's mere presence makes ASP.NET start an unsampled span around each connection, and everything in it would inherit
        // that.
        options.Rules.Add(new LoggerFilterRule(null, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None, null));
    }
}
