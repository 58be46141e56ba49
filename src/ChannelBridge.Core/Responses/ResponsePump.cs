using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Responses;

/// <summary>Sends streams to clients as events, at the pace of each client; what a client is too slow for stays in the journal.</summary>
internal sealed partial class ResponsePump(TimeProvider time, ILogger logger)
{
    // Streams that one connection follows at once.
    private const int MaxPerConnection = 256;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, int> _streams = new(StringComparer.Ordinal);

    /// <summary>Sends the events after a sequence number until the last one, or until the client has gone or reads too slowly for too long.</summary>
    /// <param name="run">The response.</param>
    /// <param name="after">The last sequence number that the client has.</param>
    /// <param name="connection">The client.</param>
    /// <param name="eventName">The event's name on its door.</param>
    /// <param name="cancels">Whether the end of the connection cancels the response.</param>
    public async Task RunAsync(IResponseRun run, long after, IClientConnection connection, string eventName, bool cancels)
    {
        if (_streams.AddOrUpdate(connection.Id, 1, (_, count) => count + 1) > MaxPerConnection)
        {
            Leave(connection.Id);
            LogTooMany(logger, connection.Id);
            return;
        }

        try
        {
            await foreach (var one in run.ReadAsync(after, connection.Closed).ConfigureAwait(false))
            {
                if (await PushAsync(connection, eventName, With(one.Json, run.Id)).ConfigureAwait(false)) continue;
                LogStopped(logger, run.Id, connection.Id, one.Sequence);
                break;
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or BridgeException)
        {
            // The client has gone, or the events have: it is told when it asks for them.
        }
        catch (Exception fault)
        {
            LogFailed(logger, fault, run.Id);
        }
        finally
        {
            Leave(connection.Id);
            if (cancels && connection.Closed.IsCancellationRequested) await run.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The event with the response's id behind its own members.</summary>
    private static byte[] With(ReadOnlyMemory<byte> json, string id)
    {
        var name = ",\"response_id\":\""u8;
        var result = new byte[json.Length - 1 + name.Length + id.Length + 2];
        json.Span[..^1].CopyTo(result);
        var at = json.Length - 1;
        name.CopyTo(result.AsSpan(at));
        at += name.Length;
        at += System.Text.Encoding.ASCII.GetBytes(id, result.AsSpan(at));
        "\"}"u8.CopyTo(result.AsSpan(at));
        return result;
    }

    private async ValueTask<bool> PushAsync(IClientConnection connection, string eventName, byte[] payload)
    {
        var since = time.GetTimestamp();
        for (var pause = ShortestPause; ; pause = pause < LongestPause ? pause * 2 : pause)
        {
            switch (await connection.PushAsync(eventName, payload, connection.Closed).ConfigureAwait(false))
            {
                case PushOutcome.Flushed:
                    return true;
                case PushOutcome.Full when time.GetElapsedTime(since) < Patience:
                    await Task.Delay(pause, time, connection.Closed).ConfigureAwait(false);
                    break;
                default:
                    return false;
            }
        }
    }

    private void Leave(string connection)
    {
        if (_streams.AddOrUpdate(connection, 0, (_, count) => count - 1) <= 0) _streams.TryRemove(new KeyValuePair<string, int>(connection, 0));
    }

    [LoggerMessage(LogEvents.ResponsePumpTooMany, LogLevel.Warning, "Connection {Connection} follows too many responses; it gets no events of another one")]
    private static partial void LogTooMany(ILogger logger, string connection);

    [LoggerMessage(LogEvents.ResponsePumpStopped, LogLevel.Information, "Events of response {Id} to connection {Connection} stop before {Sequence}; the client may resume")]
    private static partial void LogStopped(ILogger logger, string id, string connection, long sequence);

    [LoggerMessage(LogEvents.ResponsePumpFailed, LogLevel.Error, "Events of response {Id} can't be sent")]
    private static partial void LogFailed(ILogger logger, Exception fault, string id);
}
