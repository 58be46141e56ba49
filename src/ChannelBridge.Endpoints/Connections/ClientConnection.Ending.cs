using System.Net.WebSockets;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Connections;

/// <content>How a connection ends.</content>
internal abstract partial class ClientConnection
{
    /// <summary>Closes the connection in order: what waits is sent, then the goodbye. Returns at once; <see cref="Ended"/> tells the end.</summary>
    /// <param name="code">The WebSocket close code.</param>
    /// <param name="reason">The reason, as the client sees it.</param>
    public void Close(int code, string reason)
    {
        if (Interlocked.Exchange(ref _closing, 1) != 0) return;
        LogClosing(Id, code, reason);
        _ = CloseAsync(code, reason);
    }

    private async Task CloseAsync(int code, string reason)
    {
        var limits = Runtime.Limits;
        try
        {
            Requests.Wake();
            await Outgoing.CloseAsync().WaitAsync(limits.CloseTimeout, Runtime.Time).ConfigureAwait(false);
            using var timeout = new CancellationTokenSource(limits.CloseTimeout, Runtime.Time);
            await Transport.CloseAsync(code, reason, timeout.Token).ConfigureAwait(false);
            await Ended.WaitAsync(limits.CloseTimeout, Runtime.Time).ConfigureAwait(false);
        }
        catch (Exception fault) when (IsGone(fault))
        {
            // The peer doesn't play along.
            Transport.Abort();
        }
    }

    private async Task EndAsync()
    {
        try
        {
            if (Interlocked.Exchange(ref _closing, 1) == 0 && _inputEnded) await SayGoodbyeAsync().ConfigureAwait(false);
            Outgoing.Abandon();
            // After a goodbye the connection may still be delivering it.
            if (!_inputEnded && !Transport.SaidGoodbye) Transport.Abort();
            _revoked.Dispose();
            OnClosed();
            Requests.CancelAll();
            await _closed.CancelAsync().ConfigureAwait(false);
            await Transport.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogEndFailed(fault, Id);
        }
        finally
        {
            Runtime.Connections.Remove(this);
            Origin.Place.Dispose();
            LogEnded(Id, ClosedByClient);
            _ended.TrySetResult();
        }
    }

    // The client has finished writing, in order, and may still read: what it asked for reaches it.
    private async Task SayGoodbyeAsync()
    {
        OnInputEnded();
        try
        {
            if (!ClosedByClient) await Requests.EmptyAsync().WaitAsync(Runtime.Limits.CloseTimeout, Runtime.Time).ConfigureAwait(false);
            await Outgoing.CloseAsync().WaitAsync(Runtime.Limits.CloseTimeout, Runtime.Time).ConfigureAwait(false);
            using var timeout = new CancellationTokenSource(Runtime.Limits.CloseTimeout, Runtime.Time);
            await Transport.CloseAsync(1000, "", timeout.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (IsGone(fault))
        {
            LogBroken(Id, fault.Message);
        }
    }

    private static bool IsGone(Exception fault) =>
        fault is TimeoutException or OperationCanceledException or IOException or InvalidOperationException or WebSocketException;

    // The bound holds either way; the client is only given up when it reads nothing at all.
    private void NoteFull()
    {
        var rounds = Outgoing.Rounds;
        if (Interlocked.Exchange(ref _roundsWhenFull, rounds) != rounds)
        {
            Interlocked.Exchange(ref _fullSince, Runtime.Time.GetTimestamp());
            return;
        }

        if (Runtime.Time.GetElapsedTime(Interlocked.Read(ref _fullSince)) >= Runtime.Limits.SlowConsumerTimeout) CloseSlowConsumer();
    }

    private void CloseSlowConsumer()
    {
        Telemetry.Refused.Add(1, new KeyValuePair<string, object?>("channelbridge.reason", "slow_consumer"));
        Close(1008, "slow consumer");
    }

    [LoggerMessage(EventId = LogEvents.ClientConnectionClosing, Level = LogLevel.Information, Message = "Closing connection {Id}: {Code} {Reason}")]
    private partial void LogClosing(string id, int code, string reason);

    [LoggerMessage(EventId = LogEvents.ClientConnectionEndFailed, Level = LogLevel.Error, Message = "Ending connection {Id} failed")]
    private partial void LogEndFailed(Exception fault, string id);

    [LoggerMessage(EventId = LogEvents.ClientConnectionEnded, Level = LogLevel.Debug, Message = "Connection {Id} ended, by the client: {ByClient}")]
    private partial void LogEnded(string id, bool byClient);
}
