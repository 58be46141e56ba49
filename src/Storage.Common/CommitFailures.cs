using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Common;

/// <summary>
/// Tells the waiters of failed commits why, and the operator that the store fails (once, then once a minute) and that it works again. On any thread.
/// </summary>
/// <remarks>
/// The outage ends with a commit that a caller wanted, or with a test write of at least the size that failed. A test write that fits into a corner of a
/// full disk says nothing.
/// </remarks>
/// <param name="map">Turns what the engine says into what a caller can act on.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets what an operator should know.</param>
internal sealed partial class CommitFailures(Func<Exception, BridgeException> map, TimeProvider time, ILogger logger)
{
    private readonly OutageLog _log = new(time);
    private volatile string? _failing;
    private long _since;
    private long _lastCommit;
    private long _largest;

    /// <summary>The error code since commits fail, or null.</summary>
    public string? Failing => _failing;

    /// <summary>Since when they fail (Unix ms), or 0.</summary>
    public long FailingSince => _failing is null ? 0 : Volatile.Read(ref _since);

    /// <summary>When a commit succeeded last (Unix ms), or 0.</summary>
    public long LastCommitAt => Volatile.Read(ref _lastCommit);

    /// <summary>How much room the next test write is to ask for.</summary>
    public int ProbeBytes => _failing is null ? ProbeSize.Usual : (int)Math.Clamp(Volatile.Read(ref _largest) * 2, ProbeSize.Least, ProbeSize.Most);

    /// <summary>Fails a unit.</summary>
    public void Fail(CommitUnit unit, Exception failure)
    {
        var error = map(failure);
        if (error.Code.StartsWith("STORE_", StringComparison.Ordinal) || error.Code == ErrorCodes.Internal)
        {
            Telemetry.Failures.Add(1);
            if (_log.Failed() || error.Code == ErrorCodes.Internal) LogFailing(logger, failure, error.Code);
            if (_failing is null)
            {
                Volatile.Write(ref _since, time.GetUtcNow().ToUnixTimeMilliseconds());
                Volatile.Write(ref _largest, 0);
            }

            _failing = error.Code;
            Volatile.Write(ref _largest, Math.Max(Volatile.Read(ref _largest), unit.PayloadBytes()));
        }

        // A new object for each waiter: they throw it on different threads.
        unit.Fail(ReferenceEquals(error, failure) ? error : map(failure));
    }

    /// <summary>A group has been committed.</summary>
    /// <param name="probedBytes">What its test write asked for when it had nothing else in it; -1 when a caller's commit was among it.</param>
    public void Succeeded(int probedBytes = -1)
    {
        Volatile.Write(ref _lastCommit, time.GetUtcNow().ToUnixTimeMilliseconds());
        if (_failing is null || (probedBytes >= 0 && probedBytes < ProbeSize.Least)) return;
        _failing = null;
        if (_log.Succeeded()) LogRecovered(logger);
    }

    [LoggerMessage(EventId = 13991, Level = LogLevel.Error, Message = "The store can't be written ({Code}); what was sent is refused, and each new commit tries again")]
    private static partial void LogFailing(ILogger logger, Exception exception, string code);

    [LoggerMessage(EventId = 13992, Level = LogLevel.Information, Message = "The store can be written again")]
    private static partial void LogRecovered(ILogger logger);
}
