using System.Security.Cryptography;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.InstaClaw.Connection;
using ChannelBridge.Protocol;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>
/// One account's requests: each message of the platform is written down, runs once, and its events are sent until the platform certainly has them, over as
/// many connections and restarts as it takes. This part reads what comes in; others run, send and control.
/// </summary>
internal sealed partial class RequestDesk : IBrokerEvents, IDisposable
{
    private const int MaxWaiting = 1000;
    private const int MaxStrangers = 64;

    /// <summary>Answers that may wait for their proof: a broker that never pongs must not fill the memory.</summary>
    private const int MaxUnproven = 10_000;
    private readonly string _accountId;
    private readonly string _agent;
    private readonly InstaClawOptions _options;
    private readonly IResponseRuns? _runs;
    private readonly IGatewayAdmission? _gateway;
    private readonly Func<Registration.Profile?> _profile;
    private readonly RequestBook _book;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, OpenRequest> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Task> _sessions = new(StringComparer.Ordinal);
    private readonly HashSet<string> _strangers = new(StringComparer.Ordinal);
    private readonly Channel<Frame> _incoming = Channel.CreateBounded<Frame>(MaxWaiting);
    private readonly Proofs _proofs = new();
    private readonly CancellationTokenSource _stopped = new();
    private long _lastInboundAt;
    private long _lastOutboundAt;
    private long _duplicates;
    private long _refused;
    private long _malformed;
    private long _taken;

    public RequestDesk(
        string accountId,
        string agent,
        InstaClawOptions options,
        IResponseRuns? runs,
        IRecords records,
        TimeProvider time,
        ILogger logger,
        IGatewayAdmission? gateway = null,
        Func<Registration.Profile?>? profile = null)
    {
        _gateway = gateway;
        _profile = profile ?? (() => null);
        _accountId = accountId;
        _agent = agent;
        _options = options;
        _runs = runs;
        _book = new RequestBook(accountId, options, records, time);
        _time = time;
        _logger = logger;
        Slots = new TurnSlots(options.MaxConcurrentRequests, options.MaxQueuedRequests);
    }

    /// <summary>Who speaks, as the gateway's allow lists and its pairing store name it.</summary>
    private string Subject => $"{InstaClawChannel.ChannelId}:{AccountIds.Key(_accountId)}";

    /// <summary>The account's slots.</summary>
    public TurnSlots Slots { get; }

    /// <summary>Messages that were known already.</summary>
    public long Duplicates => Interlocked.Read(ref _duplicates);

    /// <summary>Messages that found no place.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Frames that couldn't be read, or belong to nobody.</summary>
    public long Malformed => Interlocked.Read(ref _malformed);

    /// <summary>When the last message was accepted (Unix ms), or 0.</summary>
    public long LastInboundAt => Interlocked.Read(ref _lastInboundAt);

    /// <summary>When the last event was sent (Unix ms), or 0.</summary>
    public long LastOutboundAt => Interlocked.Read(ref _lastOutboundAt);

    /// <summary>Requests whose answers the platform doesn't wholly have.</summary>
    public IReadOnlyList<OpenRequest> Open
    {
        get { lock (_gate) return [.. _open.Values]; }
    }

    /// <summary>The owner under which its responses run.</summary>
    private string Owner => $"{InstaClawChannel.ChannelId}:{AccountIds.Key(_accountId)}";

    /// <summary>Takes up what a former host left, and then reads what comes in, until told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            foreach (var stored in await _book.ListOpenAsync(stop).ConfigureAwait(false)) Resume(stored);
            await foreach (var frame in _incoming.Reader.ReadAllAsync(stop).ConfigureAwait(false))
            {
                try
                {
                    await TakeAsync(frame, stop).ConfigureAwait(false);
                }
                catch (Exception fault) when (!stop.IsCancellationRequested)
                {
                    // Not written down, so not accepted: the platform delivers it again, or its user asks again.
                    LogNotTaken(_logger, fault, _accountId);
                    await FailAsync(frame, fault, stop).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
        finally
        {
            await _stopped.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask ReceivedAsync(ReadOnlyMemory<byte> message, CancellationToken end)
    {
        Frame frame;
        try
        {
            frame = Frame.Read(message);
        }
        catch (JsonException)
        {
            if (Interlocked.Increment(ref _malformed) == 1) LogMalformed(_logger, _accountId);
            return;
        }

        switch (frame.Type)
        {
            case "PING":
                await SendAsync(Frame.Write("PONG", frame.Topic ?? "", frame.MessageId, null, null, null, Raw(frame.Data)), end).ConfigureAwait(false);
                return;
            case "PONG":
                if (long.TryParse(frame.MessageId, out var number)) Ponged(number);
                return;
        }

        var topic = frame.Topic ?? (frame.Data.ValueKind == JsonValueKind.Object && frame.Data.TryGetProperty("input", out _) ? Topics.UserMessages : null);
        switch (topic)
        {
            // Written down by another task: the reading loop must go on, or nobody hears the pongs.
            case Topics.UserMessages or Topics.Control:
                await _incoming.Writer.WriteAsync(frame with { Topic = topic }, end).ConfigureAwait(false);
                break;
            default:
                Stranger(topic is null ? $"type {frame.Type}" : $"topic {topic}");
                break;
        }
    }

    public void Dispose() => _stopped.Dispose();

    private async Task TakeAsync(Frame frame, CancellationToken stop)
    {
        if (frame.Topic == Topics.Control)
        {
            await ControlAsync(frame, stop).ConfigureAwait(false);
            return;
        }

        if (UserMessage.Read(frame, _options.FileUrlTemplate, out var ids, out var fault) is not { } message)
        {
            Interlocked.Increment(ref _malformed);
            LogUnfit(_logger, _accountId, fault!);
            if (ids.MessageId is { Length: > 0 and <= 200 } id) await TellFailureAsync(id, ids.SessionId, "invalid_request", fault!, stop).ConfigureAwait(false);
            return;
        }

        if (await IsKnownAsync(message, stop).ConfigureAwait(false)) return;
        int waiting;
        bool full;
        lock (_gate)
        {
            waiting = _open.Values.Count(request => request.Running);
            full = waiting >= _options.MaxConcurrentRequests + _options.MaxQueuedRequests || _open.Count - waiting >= MaxUnproven;
        }

        if (full)
        {
            // Not remembered: the same message may be tried again later.
            Interlocked.Increment(ref _refused);
            LogRefused(_logger, _accountId, message.MessageId, waiting);
            await TellFailureAsync(
                message.MessageId, message.SessionId, "too_many_requests", $"{waiting} requests are running or waiting; try again later.", stop).ConfigureAwait(false);
            return;
        }

        if (await RefusalAsync(message, stop).ConfigureAwait(false) is { } refusal)
        {
            // Not remembered either: once it is let in, it may come again.
            Interlocked.Increment(ref _refused);
            await TellFailureAsync(message.MessageId, message.SessionId, refusal.Code, refusal.Text, stop).ConfigureAwait(false);
            return;
        }

        var stored = new StoredRequest
        {
            MessageId = message.MessageId,
            SessionId = message.SessionId,
            ResponseId = NewResponseId(),
            AcceptedAt = _time.GetUtcNow().ToUnixTimeMilliseconds(),
            Data = frame.Data,
        };
        if (!await _book.AddAsync(stored, stop).ConfigureAwait(false))
        {
            // Another host has just taken it.
            Interlocked.Increment(ref _duplicates);
            return;
        }

        Interlocked.Exchange(ref _lastInboundAt, stored.AcceptedAt);
        Add(new OpenRequest(stored, message));
    }

    /// <summary>
    /// Why a message may not be accepted, or null. The platform names no users, only conversations, so the gateway is asked about the account: what comes through it
    /// comes from the users of one platform.
    /// </summary>
    private async Task<(string Code, string Text)?> RefusalAsync(UserMessage message, CancellationToken stop)
    {
        if (_gateway?.Governs(InstaClawChannel.ChannelId, _agent) != true) return null;
        var sessionKey = SessionKeyOf(message.SessionId);
        var request = new AdmissionRequest
        {
            Channel = InstaClawChannel.ChannelId,
            AccountId = _accountId,
            Subject = Subject,
            SenderId = message.SessionId,
            ConversationId = message.SessionId,
            Route = message.SessionId,
            SessionKey = sessionKey,
        };
        try
        {
            var decision = await _gateway.AdmitAsync(request, stop).ConfigureAwait(false);
            return decision.Outcome switch
            {
                AdmissionOutcome.Allow => null,
                AdmissionOutcome.Pairing => ("pairing_required", decision.ReplyText ?? decision.Reason ?? "pairing required"),
                _ => ("forbidden", decision.Reason ?? "blocked by the gateway's policy"),
            };
        }
        catch (BridgeException fault) when (fault.Retryable)
        {
            return ("unavailable", fault.Message);
        }
    }

    private string SessionKeyOf(string sessionId) => $"{InstaClawChannel.ChannelId}:{_accountId}:{sessionId}";

    /// <summary>A message that comes again doesn't run again. What the platform may lack of its answer is sent again.</summary>
    private async Task<bool> IsKnownAsync(UserMessage message, CancellationToken stop)
    {
        lock (_gate)
        {
            // Open: its events are being sent on this connection, from where they were, or will be on the next.
            if (_open.ContainsKey(message.MessageId) || IsSettledHere(message.MessageId))
            {
                Interlocked.Increment(ref _duplicates);
                LogDuplicate(_logger, _accountId, message.MessageId, "its events are on their way already");
                return true;
            }
        }

        if (await _book.FindAsync(message.MessageId, stop).ConfigureAwait(false) is not { } known) return false;
        Interlocked.Increment(ref _duplicates);
        LogDuplicate(_logger, _accountId, message.MessageId, "its events are sent again");
        // Over a new connection the platform asks for what it had: it must have lost it.
        await ReplayAsync(known with { Confirmed = -1 }, stop).ConfigureAwait(false);
        return true;
    }

    private async Task FailAsync(Frame frame, Exception fault, CancellationToken stop)
    {
        UserMessage.Read(frame, _options.FileUrlTemplate, out var ids, out _);
        if (frame.Topic != Topics.UserMessages || ids.MessageId is null) return;
        var (code, text) = EventSource.Explain(fault);
        await TellFailureAsync(ids.MessageId, ids.SessionId, code, text, stop).ConfigureAwait(false);
    }

    /// <summary>One line for each kind, not for each frame.</summary>
    private void Stranger(string what)
    {
        Interlocked.Increment(ref _malformed);
        lock (_gate)
        {
            if (_strangers.Count >= MaxStrangers || !_strangers.Add(what)) return;
        }

        LogStranger(_logger, _accountId, SoundText.Cut(what, 100, "…"));
    }

    private static byte[] Raw(JsonElement data) =>
        data.ValueKind == JsonValueKind.Undefined ? [] : System.Text.Encoding.UTF8.GetBytes(data.GetRawText());

    private static string NewResponseId() => "resp_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    [LoggerMessage(LogEvents.RequestDeskNotTaken, LogLevel.Error, "InstaClaw account {Account}: a message couldn't be taken.")]
    private static partial void LogNotTaken(ILogger logger, Exception fault, string account);

    [LoggerMessage(LogEvents.RequestDeskMalformed, LogLevel.Warning,
        "InstaClaw account {Account}: the platform sent something that is no JSON object; it and its like are ignored.")]
    private static partial void LogMalformed(ILogger logger, string account);

    [LoggerMessage(LogEvents.RequestDeskUnfit, LogLevel.Warning, "InstaClaw account {Account}: a message doesn't fit: {Fault}.")]
    private static partial void LogUnfit(ILogger logger, string account, string fault);

    [LoggerMessage(LogEvents.RequestDeskRefused, LogLevel.Warning, "InstaClaw account {Account}: message {Message} is refused: {Waiting} requests are running or waiting.")]
    private static partial void LogRefused(ILogger logger, string account, string message, int waiting);

    [LoggerMessage(LogEvents.RequestDeskDuplicate, LogLevel.Information, "InstaClaw account {Account}: message {Message} came again; {What}.")]
    private static partial void LogDuplicate(ILogger logger, string account, string message, string what);

    [LoggerMessage(LogEvents.RequestDeskStranger, LogLevel.Warning, "InstaClaw account {Account}: the platform sends what this channel doesn't know ({What}); it is ignored.")]
    private static partial void LogStranger(ILogger logger, string account, string what);
}
