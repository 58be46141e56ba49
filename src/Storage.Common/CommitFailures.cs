using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Common;

/// <summary>Tells the waiters of failed commits why, and the operator once that the store fails and once that it works again. On any thread.</summary>
/// <param name="map">Turns what the engine says into what a caller can act on.</param>
/// <param name="logger">Gets what an operator should know.</param>
internal sealed partial class CommitFailures(Func<Exception, BridgeException> map, ILogger logger)
{
    private volatile bool _failing;

    /// <summary>Fails a unit.</summary>
    public void Fail(CommitUnit unit, Exception failure)
    {
        var error = map(failure);
        if (error.Code.StartsWith("STORE_", StringComparison.Ordinal) || error.Code == ErrorCodes.Internal)
        {
            Telemetry.Failures.Add(1);
            if (!_failing || error.Code == ErrorCodes.Internal) LogFailing(logger, failure, error.Code);
            _failing = true;
        }

        // A new object for each waiter: they throw it on different threads.
        unit.Fail(ReferenceEquals(error, failure) ? error : map(failure));
    }

    /// <summary>A commit has succeeded.</summary>
    public void Succeeded()
    {
        if (!_failing) return;
        LogRecovered(logger);
        _failing = false;
    }

    [LoggerMessage(EventId = 13991, Level = LogLevel.Error, Message = "The store can't be written ({Code}); what was sent is refused, and each new commit tries again")]
    private static partial void LogFailing(ILogger logger, Exception exception, string code);

    [LoggerMessage(EventId = 13992, Level = LogLevel.Information, Message = "The store can be written again")]
    private static partial void LogRecovered(ILogger logger);
}
