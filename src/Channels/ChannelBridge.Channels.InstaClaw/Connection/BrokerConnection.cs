using System.Net.WebSockets;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Channels.InstaClaw.Registration;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw.Connection;

/// <summary>
/// One account's connection, from the first attempt until the channel stops: <c>connecting → connected → disconnected → reconnecting → connected …</c>. A
/// failed first attempt goes on to <c>reconnecting</c>, too.
/// </summary>
internal sealed partial class BrokerConnection(
    string accountId, Uri url, InstaClawOptions options, IBrokerDialer dialer, IBrokerEvents events, TimeProvider time, Random random, ILogger logger)
{
    private readonly ReconnectBackoff _backoff = new(options.ReconnectBaseDelay, options.ReconnectMaxDelay, random);
    private volatile IDialedSocket? _socket;
    private volatile Heartbeat? _heartbeat;
    private volatile string? _lastError;
    private int _state = (int)ConnectionState.Waiting;
    private long _connectedAt;
    private long _lastHeardAt;
    private int _attempts;

    /// <summary>Where it is.</summary>
    public ConnectionState State => (ConnectionState)Volatile.Read(ref _state);

    /// <summary>Why the last attempt failed or the last connection ended; null while all is well.</summary>
    public string? LastError => _lastError;

    /// <summary>Failed attempts since it was last connected.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>Pings in a row that nothing has answered.</summary>
    public int MissedPongs => _heartbeat?.Missed ?? 0;

    /// <summary>When it was last connected (Unix ms), or 0.</summary>
    public long ConnectedAt => Volatile.Read(ref _connectedAt);

    /// <summary>When the broker was last heard (Unix ms), or 0.</summary>
    public long LastHeardAt => Volatile.Read(ref _lastHeardAt);

    /// <summary>Called with each new state, in order.</summary>
    public Action<ConnectionState>? StateChanged { get; set; }

    /// <summary>Connects, and connects again, until told to stop.</summary>
    public async Task RunAsync(Func<Profile> profile, CancellationToken stop)
    {
        Enter(ConnectionState.Connecting);
        try
        {
            while (true)
            {
                if (await DialAsync(profile(), stop).ConfigureAwait(false) is { } socket)
                {
                    await using (socket.ConfigureAwait(false)) await LiveAsync(socket, stop).ConfigureAwait(false);
                }

                stop.ThrowIfCancellationRequested();
                Enter(ConnectionState.Reconnecting);
                var wait = _backoff.Next();
                LogReconnecting(logger, accountId, (long)wait.TotalMilliseconds, _lastError);
                await Task.Delay(wait, time, stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
        finally
        {
            Enter(ConnectionState.Closed);
        }
    }

    /// <summary>Sends a ping frame on the present connection, if there is one. Never waits, never throws.</summary>
    public void Ping(long number)
    {
        if (_socket is { } socket) _ = PingAsync(socket, number);
    }

    private static async Task PingAsync(IDialedSocket socket, long number)
    {
        try
        {
            await socket.PingAsync(number, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // A connection that can't be written to ends by itself, and the missing pong is counted.
        }
    }

    private async Task<IDialedSocket?> DialAsync(Profile profile, CancellationToken stop)
    {
        using var timeout = new CancellationTokenSource(options.ConnectTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        var heartbeat = new Heartbeat(options.MaxMissedPongs, options.TimeoutThreshold, time);
        _heartbeat = heartbeat;
        try
        {
            return await dialer.DialAsync(url, profile, () => Heard(heartbeat), events.Ponged, linked.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception fault)
        {
            _lastError = timeout.IsCancellationRequested
                ? $"no connection within {options.ConnectTimeout.TotalSeconds:0.###} s"
                : Explain(fault);
            Interlocked.Increment(ref _attempts);
            return null;
        }
    }

    private async Task LiveAsync(IDialedSocket socket, CancellationToken stop)
    {
        var since = time.GetTimestamp();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Volatile.Write(ref _connectedAt, time.GetUtcNow().ToUnixTimeMilliseconds());
        Volatile.Write(ref _attempts, 0);
        _lastError = null;
        _socket = socket;
        Enter(ConnectionState.Connected);
        LogConnected(logger, accountId);
        string? reason = null;
        var beating = BeatAsync(socket, why => reason = why, end.Token);
        var session = events.Connected(socket, end.Token);
        // Cancelling a read would break the connection; the broker is told, and its goodbye ends the reading.
        using var leaving = stop.Register(() => _ = socket.CloseAsync().AsTask());
        try
        {
            while (await socket.ReceiveAsync(CancellationToken.None).ConfigureAwait(false) is { } message)
            {
                await events.ReceivedAsync(message, end.Token).ConfigureAwait(false);
            }

            reason ??= socket.CloseReason ?? "the broker closed the connection";
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            reason = "the channel stops";
        }
        catch (Exception fault)
        {
            reason ??= Explain(fault);
        }
        finally
        {
            _socket = null;
            await end.CancelAsync().ConfigureAwait(false);
            await beating.ConfigureAwait(false);
            await session.ConfigureAwait(false);
        }

        _lastError = reason;
        if (time.GetElapsedTime(since) >= options.StableAfter) _backoff.Reset();
        if (stop.IsCancellationRequested) return;
        LogDisconnected(logger, accountId, reason);
        Enter(ConnectionState.Disconnected);
    }

    private async Task BeatAsync(IDialedSocket socket, Action<string> dead, CancellationToken end)
    {
        var heartbeat = _heartbeat!;
        using var timer = new PeriodicTimer(options.HeartbeatInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(end).ConfigureAwait(false))
            {
                if (heartbeat.Beat())
                {
                    events.Beat(socket);
                    continue;
                }

                dead(heartbeat.Missed >= options.MaxMissedPongs
                    ? $"the broker left {heartbeat.Missed} pings unanswered"
                    : $"the broker was silent for {heartbeat.Silence.TotalSeconds:0} s");
                socket.Abort();
                return;
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
    }

    private void Heard(Heartbeat heartbeat)
    {
        heartbeat.Heard();
        Volatile.Write(ref _lastHeardAt, time.GetUtcNow().ToUnixTimeMilliseconds());
    }

    private void Enter(ConnectionState state)
    {
        Volatile.Write(ref _state, (int)state);
        StateChanged?.Invoke(state);
    }

    /// <summary>A line for the status. Messages of sockets and TLS name hosts and ports, never what was sent.</summary>
    private static string Explain(Exception fault) => fault switch
    {
        WebSocketException { InnerException: { } inner } => Explain(inner),
        HttpRequestException { InnerException: { } inner } => Explain(inner),
        _ => fault.Message.ReplaceLineEndings(" "),
    };

    [LoggerMessage(LogEvents.BrokerConnectionConnected, LogLevel.Information, "InstaClaw account {Account}: connected to the broker.")]
    private static partial void LogConnected(ILogger logger, string account);

    [LoggerMessage(LogEvents.BrokerConnectionDisconnected, LogLevel.Warning, "InstaClaw account {Account}: the connection to the broker is lost: {Reason}.")]
    private static partial void LogDisconnected(ILogger logger, string account, string? reason);

    [LoggerMessage(LogEvents.BrokerConnectionReconnecting, LogLevel.Information, "InstaClaw account {Account}: connects again in {Milliseconds} ms ({Reason}).")]
    private static partial void LogReconnecting(ILogger logger, string account, long milliseconds, string? reason);
}

/// <summary>What a connection leads to.</summary>
internal interface IBrokerEvents
{
    /// <summary>A connection is up. The task ends when what was begun for it has ended, soon after <paramref name="end"/>.</summary>
    Task Connected(IDialedSocket socket, CancellationToken end);

    /// <summary>A message has arrived.</summary>
    ValueTask ReceivedAsync(ReadOnlyMemory<byte> message, CancellationToken end);

    /// <summary>A ping is due.</summary>
    void Beat(IDialedSocket socket);

    /// <summary>The ping frame with this number was answered.</summary>
    void Ponged(long number);
}
