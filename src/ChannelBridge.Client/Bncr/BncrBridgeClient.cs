using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ChannelBridge.Client.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Client.Bncr;

/// <summary>
/// A chat bridge: sends what people write to the agent and gets what the agent says. A message is sent again, under the same id, until the host has
/// it on disk; a push that comes twice is shown once; after a lost connection everything goes on by itself.
/// </summary>
public sealed partial class BncrBridgeClient : IAsyncDisposable
{
    private static readonly TimeSpan FirstResendDelay = TimeSpan.FromMilliseconds(250);

    private readonly BncrBridgeOptions _options;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger _logger;
    private readonly SeenPushes _seen;
    private readonly ClientSubscription _events;
    private readonly CancellationTokenSource _stop = new();
    private readonly FileReceiver? _files;
    private Task _heartbeat = Task.CompletedTask;
    private Task _receiving = Task.CompletedTask;
    private volatile BncrConnected? _account;
    private int _started;
    private int _receivesFiles;
    private int _disposed;

    /// <summary>Makes a bridge; it connects with <see cref="StartAsync"/>.</summary>
    /// <param name="options">Where to and how; not to be changed afterwards.</param>
    /// <param name="time">The clock; null means the system's.</param>
    /// <param name="loggers">The log; null means none.</param>
    /// <exception cref="ArgumentException">The options are invalid; the message names each.</exception>
    public BncrBridgeClient(BncrBridgeOptions options, TimeProvider? time = null, ILoggerFactory? loggers = null)
        : this(options, null, time, Random.Shared, loggers)
    {
    }

    internal BncrBridgeClient(BncrBridgeOptions options, Func<IClientTransport>? makeTransport, TimeProvider? time, Random random, ILoggerFactory? loggers)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } problems) throw new ArgumentException(string.Join(Environment.NewLine, problems), nameof(options));
        _options = options;
        _time = time ?? TimeProvider.System;
        _random = random;
        _logger = loggers?.CreateLogger<BncrBridgeClient>() ?? NullLogger<BncrBridgeClient>.Instance;
        _seen = new SeenPushes(options.RememberedPushes);
        Client = new ChannelBridgeClient(options.Connection, makeTransport, time, random, loggers?.CreateLogger<ChannelBridgeClient>());
        Client.AddHandshake(ConnectAccountAsync);

        // Before the first connection: bncr.connect makes the host push at once.
        _events = Client.Subscribe("bncr.push", "plugin.bncr.push");
        if (options.FilesFolder is { } folder)
            _files = new FileReceiver(Client, options.AccountId, options.BridgeId, Path.GetFullPath(folder), options.FileProgress, null, _time, _logger);
    }

    /// <summary>The client underneath, for further calls and events.</summary>
    public ChannelBridgeClient Client { get; }

    /// <summary>What the host said to the last <c>bncr.connect</c>; null before the first.</summary>
    public BncrConnected? Account => _account;

    /// <summary>Connects and takes the account over. Afterwards a lost connection is replaced by itself.</summary>
    /// <exception cref="ChannelBridgeClientException">See <see cref="ChannelBridgeClient.ConnectAsync"/>.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        if (_files is not null && Interlocked.Exchange(ref _receivesFiles, 1) == 0) _receiving = Task.Run(() => _files.RunAsync(_stop.Token), CancellationToken.None);
        await Client.ConnectAsync(cancellationToken).ConfigureAwait(false);
        if (Interlocked.Exchange(ref _started, 1) == 0) _heartbeat = HeartbeatAsync();
    }

    /// <summary>
    /// Takes the account back after another client has taken it over (<c>bncr.lease.lost</c>), on the connection that there is or the next
    /// one.
    /// </summary>
    /// <exception cref="ChannelBridgeClientException">The host refuses it, or can't be reached.</exception>
    public async Task TakeAccountAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var session = await Client.SessionAsync(cancellationToken).ConfigureAwait(false);
        await ConnectAccountAsync(session, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Sends a message and completes when the host has it on disk (or refused it by its policy: <see cref="BncrAccepted.Accepted"/> is false). While the
    /// host is away or busy it is tried again, under the same id, until <paramref name="cancellationToken"/> says stop.
    /// </summary>
    /// <exception cref="ChannelBridgeClientException">The message is refused for good: it is malformed, too large, or not allowed.</exception>
    public async Task<BncrAccepted> SendAsync(BncrInbound message, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var id = string.IsNullOrEmpty(message.MsgId) ? Guid.NewGuid().ToString("N") : message.MsgId;
        var body = JsonSerializer.SerializeToUtf8Bytes(
            message with { MsgId = id, AccountId = _options.AccountId, ClientId = _options.BridgeId }, BncrJson.Default.BncrInbound);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var answer = await Client.CallAsync("bncr.inbound", body, cancellationToken).ConfigureAwait(false);
                var result = JsonSerializer.Deserialize(answer.Span, BncrJson.Default.BncrAccepted)
                    ?? throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, "bncr.inbound: the host answered null");
                return result.MsgId is null ? result with { MsgId = id } : result;
            }
            catch (JsonException fault)
            {
                throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, "bncr.inbound: invalid answer", fault);
            }
            catch (ChannelBridgeClientException fault) when (fault.Retryable && Client.State is not (ClientState.Failed or ClientState.Closed))
            {
                LogResend(id, fault.Code, fault.Message);
                await Task.Delay(ResendDelay(attempt, fault.RetryAfter), _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// Sends a file of any size, to be named in a message by its path: in chunks, several at a time, and after a lost connection or a restart only what is
    /// missing. Completes when the host has it on disk.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told after each chunk, or null.</param>
    /// <param name="cancellationToken">Stops; the same call goes on later.</param>
    /// <exception cref="ChannelBridgeClientException">The host refuses the file: too large, no room, not allowed.</exception>
    public Task<BncrUploadedFile> UploadAsync(
        string path, BncrUploadOptions options, IProgress<BncrFileProgress>? progress = null, CancellationToken cancellationToken = default) =>
        new BncrFileUpload(Client, _options.AccountId, _options.BridgeId, _time).UploadAsync(path, options, progress, cancellationToken);

    /// <summary>
    /// The agent's messages as they come, each once. Acknowledge each with <see cref="AckAsync"/> when the platform has it; one that is neither
    /// acknowledged nor rejected is pushed again by the host, and shown again only after a restart of this process. One reader.
    /// </summary>
    /// <exception cref="ChannelBridgeClientException">The client failed for good.</exception>
    public async IAsyncEnumerable<BncrPush> ReadPushesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var incoming in _events.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (incoming.Missed > 0) LogMissed(incoming.Missed);
            BncrPush? push;
            try
            {
                push = incoming.Read(BncrJson.Default.BncrPush);
            }
            catch (JsonException fault)
            {
                LogUnreadable(fault, incoming.Name);
                continue;
            }

            switch (push is null ? SeenPushes.Sight.Shown : _seen.See(push.Key))
            {
                case SeenPushes.Sight.New:
                    yield return push!;
                    break;
                case SeenPushes.Sight.Done:
                    // The host didn't get the first ack.
                    await TellAsync(new BncrAckParameters(_options.AccountId, _options.BridgeId, push!.MessageId, Ok: true), cancellationToken).ConfigureAwait(false);
                    break;
            }
        }
    }

    /// <summary>
    /// The answers to messages with <see cref="BncrInbound.Stream"/> while they grow, from the moment of this call. Each ends with its push, which has the same
    /// <see cref="BncrPush.StreamId"/>: put its text in the place of what is shown, and the user sees one message. Partials are shown once or not at all; the
    /// push always comes.
    /// </summary>
    /// <exception cref="ChannelBridgeClientException">The client failed for good.</exception>
    public IAsyncEnumerable<BncrPartial> ReadPartials(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return new GrowingTexts(Client.Subscribe("bncr.partial", "plugin.bncr.partial")).ReadAsync(cancellationToken);
    }

    /// <summary>
    /// Confirms a message. If the connection is lost meanwhile the message comes again and is confirmed then without being shown, so a lost ack needs
    /// no attention.
    /// </summary>
    public Task AckAsync(BncrPush push, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(push);
        _seen.Finish(push.Key);
        return TellAsync(new BncrAckParameters(_options.AccountId, _options.BridgeId, push.MessageId, Ok: true), cancellationToken);
    }

    /// <summary>Says that a message couldn't be delivered. It is pushed and shown again later, unless it is fatal.</summary>
    /// <param name="push">The message.</param>
    /// <param name="error">Why, for the operator.</param>
    /// <param name="fatal">True: trying again is pointless; it becomes a dead letter.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task RejectAsync(BncrPush push, string error, bool fatal = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(push);
        _seen.Forget(push.Key);
        await TellAsync(
            new BncrAckParameters(_options.AccountId, _options.BridgeId, push.MessageId, Ok: false, fatal ? true : null, error), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Hands every message to <paramref name="deliver"/>: in order within a conversation, conversations side by side. A message is confirmed when the
    /// task completes and rejected (and tried again by the host) when it fails. Runs until cancelled.
    /// </summary>
    public async Task RunAsync(Func<BncrPush, CancellationToken, Task> deliver, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(deliver);
        using var places = new SemaphoreSlim(_options.Concurrency, _options.Concurrency);
        var lanes = new ConcurrentDictionary<string, Task>(StringComparer.Ordinal);
        try
        {
            await foreach (var push in ReadPushesAsync(cancellationToken).ConfigureAwait(false))
            {
                // A place is taken before the next push is read, so what waits here is bounded; more waits at the host.
                await places.WaitAsync(cancellationToken).ConfigureAwait(false);
                var before = lanes.GetValueOrDefault(push.SessionKey, Task.CompletedTask);
                var work = DeliverAsync(before, push, deliver, places, cancellationToken);
                lanes[push.SessionKey] = work;
                foreach (var (lane, last) in lanes)
                {
                    if (last.IsCompleted) lanes.TryRemove(KeyValuePair.Create(lane, last));
                }
            }
        }
        finally
        {
            await Task.WhenAll(lanes.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Ends the bridge and its client.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _heartbeat.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _files?.Dispose();
        _events.Dispose();
        await Client.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task DeliverAsync(
        Task before, BncrPush push, Func<BncrPush, CancellationToken, Task> deliver, SemaphoreSlim places, CancellationToken cancellationToken)
    {
        try
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await deliver(push, cancellationToken).ConfigureAwait(false);
            await AckAsync(push, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Neither confirmed nor rejected: the host keeps it for the next run.
        }
        catch (Exception fault)
        {
            LogDeliveryFailed(fault, push.MessageId);
            await RejectAsync(push, fault.Message, cancellationToken: cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            places.Release();
        }
    }

    private async Task ConnectAccountAsync(ClientSession session, CancellationToken cancellationToken)
    {
        var parameters = JsonSerializer.SerializeToUtf8Bytes(
            new BncrConnectParameters(_options.AccountId, _options.BridgeId, Ack: true), BncrJson.Default.BncrConnectParameters);
        var answer = await session.CallAsync("bncr.connect", parameters, cancellationToken).ConfigureAwait(false);
        _account = JsonSerializer.Deserialize(answer.Span, BncrJson.Default.BncrConnected);
    }

    /// <summary>An ack that doesn't get through is no fault: the host pushes the message again.</summary>
    private async Task TellAsync(BncrAckParameters ack, CancellationToken cancellationToken)
    {
        try
        {
            await Client.CallAsync("bncr.ack", JsonSerializer.SerializeToUtf8Bytes(ack, BncrJson.Default.BncrAckParameters), cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelBridgeClientException fault)
        {
            LogAckFailed(ack.MessageId, fault.Code, fault.Message);
        }
    }

    private async Task HeartbeatAsync()
    {
        var parameters = JsonSerializer.SerializeToUtf8Bytes(new BncrActivityParameters(_options.AccountId, _options.BridgeId), BncrJson.Default.BncrActivityParameters);
        using var timer = new PeriodicTimer(_options.Heartbeat, _time);
        while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
        {
            if (Client.State != ClientState.Connected) continue;
            try
            {
                await Client.CallAsync("bncr.activity", parameters, _stop.Token).ConfigureAwait(false);
            }
            catch (ChannelBridgeClientException fault)
            {
                LogHeartbeatFailed(fault.Code, fault.Message);
            }
        }
    }

    private TimeSpan ResendDelay(int attempt, TimeSpan? asked)
    {
        var bound = Math.Min(FirstResendDelay.TotalMilliseconds * Math.Pow(2, Math.Min(attempt, 30)), _options.MaxResendDelay.TotalMilliseconds);
        var wait = TimeSpan.FromMilliseconds(bound * (0.5 + (_random.NextDouble() / 2)));
        return asked is { } minimum && minimum > wait ? minimum : wait;
    }

    [LoggerMessage(EventId = LogEvents.BncrBridgeClientResend, Level = LogLevel.Debug, Message = "Message {MsgId} is sent again: {Code} {Reason}")]
    private partial void LogResend(string msgId, string code, string reason);

    [LoggerMessage(EventId = LogEvents.BncrBridgeClientMissed, Level = LogLevel.Warning, Message = "{Count} pushes came faster than they were read; the host pushes them again")]
    private partial void LogMissed(long count);

    [LoggerMessage(EventId = LogEvents.BncrBridgeClientUnreadable, Level = LogLevel.Warning, Message = "Event {Name} is not a valid push; it is ignored")]
    private partial void LogUnreadable(Exception fault, string name);

    [LoggerMessage(EventId = LogEvents.BncrBridgeClientDeliveryFailed, Level = LogLevel.Warning, Message = "Message {MessageId} couldn't be delivered; the host tries again")]
    private partial void LogDeliveryFailed(Exception fault, string messageId);

    [LoggerMessage(EventId = LogEvents.BncrBridgeClientAckFailed, Level = LogLevel.Debug, Message = "The ack of {MessageId} didn't get through: {Code} {Reason}")]
    private partial void LogAckFailed(string messageId, string code, string reason);

    [LoggerMessage(EventId = LogEvents.BncrBridgeClientHeartbeatFailed, Level = LogLevel.Debug, Message = "Heartbeat failed: {Code} {Reason}")]
    private partial void LogHeartbeatFailed(string code, string reason);
}
