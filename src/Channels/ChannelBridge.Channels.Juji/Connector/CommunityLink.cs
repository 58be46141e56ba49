using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Identity;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// An account's life in its community: it registers, connects with a signature made anew for each attempt, answers silence with pings, and connects again for ever. An error of the
/// community's business is an error of one call and never ends anything.
/// </summary>
internal sealed partial class CommunityLink(
    string accountId,
    JujiAccountOptions account,
    JujiOptions options,
    SkillVariables variables,
    CommunityApi api,
    CallTable calls,
    Action<JsonElement> push,
    IDialer dialer,
    TimeProvider time,
    Random random,
    ILogger<CommunityLink> logger)
{
    private const int MaxMissed = 2;
    private const int MostTogether = 64;
    private int _state = (int)ConnectorState.Connecting;
    private long _agentId;
    private long _connectedAt;
    private long _heardAt;
    private int _attempts;
    private long _garbage;
    private volatile string? _lastError;
    private string? _token;

    /// <summary>Where it is.</summary>
    public ConnectorState State => (ConnectorState)Volatile.Read(ref _state);

    /// <summary>The agent's id in the community; 0 before the first registration.</summary>
    public long AgentId => Volatile.Read(ref _agentId);

    /// <summary>Since when it is connected (Unix ms), or when it last was; 0: never.</summary>
    public long ConnectedAt => Volatile.Read(ref _connectedAt);

    /// <summary>When anything was last heard (Unix ms), or 0.</summary>
    public long HeardAt => Volatile.Read(ref _heardAt);

    /// <summary>Attempts since the last connection.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>Frames that made no sense.</summary>
    public long Garbage => Volatile.Read(ref _garbage);

    /// <summary>Why there is no connection, or null.</summary>
    public string? LastError => _lastError;

    /// <summary>Called when it is connected (true), and when it no longer is.</summary>
    public Action<bool>? Changed { get; set; }

    /// <summary>Lives until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var backoff = new ReconnectBackoff(options.ReconnectBaseDelay, Highest(), random);
        try
        {
            while (true)
            {
                Enter(State == ConnectorState.Refused ? ConnectorState.Refused : ConnectorState.Connecting);
                if (await TryAsync(stop).ConfigureAwait(false) is { } held && held >= options.StableAfter) backoff.Reset();
                stop.ThrowIfCancellationRequested();
                Interlocked.Increment(ref _attempts);
                if (State != ConnectorState.Refused) Enter(ConnectorState.Reconnecting);
                var wait = backoff.Next();
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
            Enter(ConnectorState.Waiting);
        }
    }

    /// <summary>The channel has stopped.</summary>
    public void Close() => Enter(ConnectorState.Closed);

    /// <summary>How often to ping; zero: never.</summary>
    public TimeSpan Heartbeat() => options.Heartbeat ?? TimeSpan.FromSeconds(variables.HeartbeatSecondsOrDefault());

    private TimeSpan Highest()
    {
        try
        {
            var highest = options.ReconnectMaxDelay ?? TimeSpan.FromSeconds(variables.BackoffMaxSecondsOrNull() ?? 90);
            return highest < options.ReconnectBaseDelay ? options.ReconnectBaseDelay : highest;
        }
        catch (BridgeException)
        {
            // The same file is read at the next attempt, which tells it.
            return TimeSpan.FromSeconds(90);
        }
    }

    /// <summary>One attempt; how long a connection held, or null when there was none.</summary>
    private async Task<TimeSpan?> TryAsync(CancellationToken stop)
    {
        try
        {
            using var key = AgentKeys.Load(variables);
            var renewed = _token is null;
            if (renewed) await RegisterAsync(key, stop).ConfigureAwait(false);
            // The script registers with each of its commands, and then the newest token is in the file.
            else if (variables.Get(SkillVariables.Token) is { } newest && EnvText.IsPlain(newest)) _token = newest;
            while (true)
            {
                var (held, code) = await ConnectAsync(key, stop).ConfigureAwait(false);
                if (code != CommunitySocket.Refused || stop.IsCancellationRequested) return held;
                if (renewed)
                {
                    _token = null;
                    if (State != ConnectorState.Refused) LogRefused(logger, accountId);
                    Enter(ConnectorState.Refused);
                    return held;
                }

                await RegisterAsync(key, stop).ConfigureAwait(false);
                renewed = true;
            }
        }
        catch (BridgeException fault)
        {
            _lastError = fault.Message;
            return null;
        }
    }

    private async Task RegisterAsync(IdentityKey key, CancellationToken stop)
    {
        var wallet = account.WalletAddress ?? variables.Get(SkillVariables.WalletAddress);
        var name = account.Name ?? variables.Get(SkillVariables.AgentName);
        var made = await api.RegisterAsync(Convert.ToHexStringLower(key.PublicKey.Span), wallet, name, options.RequestTimeout, stop).ConfigureAwait(false);
        Volatile.Write(ref _agentId, made.AgentId);
        _token = made.Token;
        variables.Save(new Dictionary<string, string>
        {
            [SkillVariables.AgentId] = made.AgentId.ToString(CultureInfo.InvariantCulture),
            [SkillVariables.Token] = made.Token,
        });
        LogRegistered(logger, accountId, made.AgentId);
    }

    private async Task<(TimeSpan? Held, int? Code)> ConnectAsync(IdentityKey key, CancellationToken stop)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        var url = api.Address.Socket(AgentId, _token!, now, AgentKeys.Sign(key, AgentId, now));
        var heartbeat = new Heartbeat(MaxMissed, TimeSpan.Zero, time);
        var socket = await CommunitySocket.OpenAsync(
            dialer, url, options.MaxMessageBytes, () => Heard(heartbeat), options.ConnectTimeout, time, stop).ConfigureAwait(false);
        await using (socket.ConfigureAwait(false))
        {
            if (socket.First.IsEmpty)
            {
                _lastError = socket.CloseCode == CommunitySocket.Refused ? "the community refused the token or the signature (4401)" : socket.CloseReason
                    ?? "the community closed the connection";
                return (null, socket.CloseCode);
            }

            var since = time.GetTimestamp();
            await LiveAsync(socket, heartbeat, stop).ConfigureAwait(false);
            return (time.GetElapsedTime(since), socket.CloseCode);
        }
    }

    private async Task LiveAsync(CommunitySocket socket, Heartbeat heartbeat, CancellationToken stop)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var outgoing = System.Threading.Channels.Channel.CreateUnbounded<CallTable.Call>(new UnboundedChannelOptions { SingleReader = true });
        string? reason = null;
        Volatile.Write(ref _connectedAt, time.GetUtcNow().ToUnixTimeMilliseconds());
        Volatile.Write(ref _attempts, 0);
        _lastError = null;
        Enter(ConnectorState.Connected);
        LogConnected(logger, accountId, AgentId);
        var beating = BeatAsync(socket, heartbeat, why => reason = why, end.Token);
        var sending = SendAsync(socket, outgoing.Reader, end.Token);
        calls.Attach(call => outgoing.Writer.TryWrite(call));
        Changed?.Invoke(true);
        // Cancelling a read would break the connection; the community is told, and its goodbye ends the reading.
        using var leaving = stop.Register(() => _ = socket.CloseAsync().AsTask());
        try
        {
            // Some communities send something else first; what isn't the greeting is a frame like any other.
            if (!IsGreeting(socket.First)) Take(socket.First);
            while (await socket.ReceiveAsync(CancellationToken.None).ConfigureAwait(false) is { } frame) Take(frame);
            reason ??= socket.CloseReason ?? "the community closed the connection";
        }
        catch (Exception fault)
        {
            reason ??= stop.IsCancellationRequested ? "the channel stops" : CommunityApi.Explain(fault);
        }
        finally
        {
            calls.Attach(null);
            Changed?.Invoke(false);
            await end.CancelAsync().ConfigureAwait(false);
            await beating.ConfigureAwait(false);
            await sending.ConfigureAwait(false);
        }

        _lastError = reason;
        if (!stop.IsCancellationRequested) LogDisconnected(logger, accountId, reason);
    }

    private async Task SendAsync(CommunitySocket socket, ChannelReader<CallTable.Call> outgoing, CancellationToken end)
    {
        try
        {
            var frames = new List<ReadOnlyMemory<byte>>();
            while (await outgoing.WaitToReadAsync(end).ConfigureAwait(false))
            {
                // What several callers ask at once is one write.
                while (frames.Count < MostTogether && outgoing.TryRead(out var call))
                    frames.Add(CommunitySocket.Request(AgentId, call.Id, call.Action, call.Parameters));
                await socket.SendAsync(frames, end).ConfigureAwait(false);
                frames.Clear();
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended; what waits is sent by the next one.
        }
        catch (Exception)
        {
            // A connection that can't be written to is of no use, though it could still be read for long.
            socket.Abort();
        }
    }

    private async Task BeatAsync(CommunitySocket socket, Heartbeat heartbeat, Action<string> dead, CancellationToken end)
    {
        try
        {
            var interval = Heartbeat();
            if (interval <= TimeSpan.Zero) return;
            using var timer = new PeriodicTimer(interval, time);
            while (await timer.WaitForNextTickAsync(end).ConfigureAwait(false))
            {
                if (!heartbeat.Beat())
                {
                    dead($"the community left {heartbeat.Missed} pings unanswered");
                    socket.Abort();
                    return;
                }

                await socket.PingAsync(end).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
        catch (Exception fault)
        {
            dead(CommunityApi.Explain(fault));
            socket.Abort();
        }
    }

    private void Take(ReadOnlyMemory<byte> frame)
    {
        if (Read(frame.Span) is not { ValueKind: JsonValueKind.Object } message)
        {
            // Once for a connection's life in the log, all of them in the status.
            if (Interlocked.Increment(ref _garbage) == 1) LogGarbage(logger, accountId, frame.Length);
            return;
        }

        if (calls.Take(message) || IsPong(message)) return;
        push(message);
    }

    private static JsonElement? Read(ReadOnlySpan<byte> frame)
    {
        try
        {
            return JsonElement.Parse(frame);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsGreeting(ReadOnlyMemory<byte> frame) => Read(frame.Span) is { ValueKind: JsonValueKind.Object } first && TypeIs(first, "connected"u8);

    private static bool IsPong(JsonElement message) => TypeIs(message, "pong"u8);

    private static bool TypeIs(JsonElement message, ReadOnlySpan<byte> type) =>
        message.TryGetProperty("type"u8, out var found) && found.ValueKind == JsonValueKind.String && found.ValueEquals(type);

    private void Heard(Heartbeat heartbeat)
    {
        heartbeat.Heard();
        Volatile.Write(ref _heardAt, time.GetUtcNow().ToUnixTimeMilliseconds());
    }

    private void Enter(ConnectorState state) => Volatile.Write(ref _state, (int)state);

    [LoggerMessage(LogEvents.ConnectorConnected, LogLevel.Information, "Juji account {Account}: connected to the community as agent {AgentId}.")]
    private static partial void LogConnected(ILogger logger, string account, long agentId);

    [LoggerMessage(LogEvents.ConnectorDisconnected, LogLevel.Warning, "Juji account {Account}: the connection to the community is lost: {Reason}.")]
    private static partial void LogDisconnected(ILogger logger, string account, string? reason);

    [LoggerMessage(LogEvents.ConnectorReconnecting, LogLevel.Information, "Juji account {Account}: connects again in {Milliseconds} ms ({Reason}).")]
    private static partial void LogReconnecting(ILogger logger, string account, long milliseconds, string? reason);

    [LoggerMessage(LogEvents.ConnectorRegistered, LogLevel.Information, "Juji account {Account}: registered as agent {AgentId}.")]
    private static partial void LogRegistered(ILogger logger, string account, long agentId);

    [LoggerMessage(LogEvents.ConnectorRefused, LogLevel.Error,
        "Juji account {Account}: the community refuses its token and signature, with a new token, too (4401). It is tried again; look at the clock and the key.")]
    private static partial void LogRefused(ILogger logger, string account);

    [LoggerMessage(LogEvents.ConnectorGarbage, LogLevel.Warning,
        "Juji account {Account}: the community sent a frame of {Bytes} bytes that is no JSON object; such frames are ignored and counted.")]
    private static partial void LogGarbage(ILogger logger, string account, int bytes);
}
