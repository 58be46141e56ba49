using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// Takes an account's pushes where their routes say, one after the other. The community keeps nothing for who didn't take it, so a push is tried until it is on
/// disk; those that come
/// while too many wait are dropped, counted and told in the log.
/// </summary>
internal sealed partial class PushDesk(
    string accountId,
    string agent,
    PushRoutes routes,
    IInbox inbox,
    INotifier notifier,
    IGatewayAdmission? gateway,
    TimeProvider time,
    ILogger<PushDesk> logger)
{
    private const int MostWaiting = 1000;
    private const int MostRemembered = 4096;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan IdWindow = TimeSpan.FromDays(30);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);
    private readonly Channel<(Push Push, DateTimeOffset At)> _queue = System.Threading.Channels.Channel.CreateBounded<(Push, DateTimeOffset)>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true });

    private readonly Dictionary<UInt128, long> _seen = [];
    private readonly Lock _lock = new();
    private long _lastAt;
    private long _taken;
    private long _duplicates;
    private long _dropped;
    private long _unrouted;
    private long _failed;

    /// <summary>When a push was last taken (Unix ms), or 0.</summary>
    public long LastAt => Volatile.Read(ref _lastAt);

    /// <summary>Pushes that are where their route leads.</summary>
    public long Taken => Volatile.Read(ref _taken);

    /// <summary>Pushes that were there already.</summary>
    public long Duplicates => Volatile.Read(ref _duplicates);

    /// <summary>Pushes that came while too many waited.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Pushes that no route wants, or that one drops.</summary>
    public long Unrouted => Volatile.Read(ref _unrouted);

    /// <summary>Pushes that their target refused for good.</summary>
    public long Failed => Volatile.Read(ref _failed);

    /// <summary>Takes a frame; never waits.</summary>
    public void Take(JsonElement frame)
    {
        var push = Push.Read(frame);
        if (IsRepeated(push))
        {
            Interlocked.Increment(ref _duplicates);
            return;
        }

        if (_queue.Writer.TryWrite((push, time.GetUtcNow()))) return;
        lock (_lock) _seen.Remove(push.Key);
        if (Interlocked.Increment(ref _dropped) == 1) LogDropped(logger, accountId);
    }

    /// <summary>No more will come; what waits is still taken.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>Works until <see cref="Complete"/>, or until it is told to give up.</summary>
    public async Task RunAsync(CancellationToken giveUp)
    {
        try
        {
            await foreach (var (push, at) in _queue.Reader.ReadAllAsync(giveUp).ConfigureAwait(false)) await DeliverAsync(push, at, giveUp).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            // The host doesn't wait any longer.
        }
    }

    /// <summary>The conversation of a topic. Details that aren't for everybody have one of their own.</summary>
    public static string SessionKeyOf(string accountId, Push push) =>
        $"{JujiChannel.ChannelId}:{AccountIds.Key(accountId)}:{(push.IsDirect ? "direct:" : "")}{TopicPart(push.Topic)}";

    private async Task DeliverAsync(Push push, DateTimeOffset at, CancellationToken giveUp)
    {
        var route = routes.Of(push);
        if (route is null or { To: PushRoutes.Drop })
        {
            Interlocked.Increment(ref _unrouted);
            return;
        }

        for (var wait = FirstWait; ; wait = wait * 2 < LongestWait ? wait * 2 : LongestWait)
        {
            try
            {
                if (route.To == PushRoutes.Agent) await AcceptAsync(push, route, giveUp).ConfigureAwait(false);
                else await NotifyAsync(push, route, at, giveUp).ConfigureAwait(false);
                Interlocked.Increment(ref _taken);
                Volatile.Write(ref _lastAt, time.GetUtcNow().ToUnixTimeMilliseconds());
                return;
            }
            catch (BridgeException fault) when (fault.Retryable)
            {
                await Task.Delay(fault.RetryAfter is { } asked && asked < LongestWait ? asked : wait, time, giveUp).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                Interlocked.Increment(ref _failed);
                LogNotTaken(logger, accountId, push.Topic, route.To, (fault as BridgeException)?.Code ?? ErrorCodes.Internal, fault as BridgeException is null ? fault : null);
                return;
            }
        }
    }

    private async Task AcceptAsync(Push push, JujiRouteOptions route, CancellationToken giveUp)
    {
        var session = SessionKeyOf(accountId, push);
        var message = new InboundMessage
        {
            Channel = JujiChannel.ChannelId,
            AccountId = accountId,
            SessionKey = session,
            Agent = agent,
            // What the turn's answer needs to know of its way; the settings may have changed until then.
            Route = route.Answer ?? "",
            SenderId = "community",
            Subject = $"{JujiChannel.ChannelId}:{accountId}",
            Door = Door.Channel,
            Text = push.ForAgent(),
            Rules = new TurnRules { Replies = ReplyWay.Channel, Commands = false, SenderIsAgent = true, FailureNotice = "" },
        };
        if (gateway?.Governs(JujiChannel.ChannelId, agent) is true)
        {
            var decision = await gateway.AdmitAsync(
                new AdmissionRequest
                {
                    Channel = message.Channel,
                    AccountId = accountId,
                    Subject = message.Subject,
                    SenderId = message.SenderId,
                    ConversationId = TopicPart(push.Topic),
                    Route = message.Route,
                    SessionKey = session,
                },
                giveUp).ConfigureAwait(false);
            if (decision.Outcome != AdmissionOutcome.Allow)
                throw new BridgeException(ErrorCodes.Forbidden, "the gateway's policy doesn't let the community speak to its agent");
        }

        var receipt = await inbox.AcceptAsync(message, push.Key, push.HasId ? IdWindow : Window, cancellationToken: giveUp).ConfigureAwait(false);
        if (receipt.Duplicate) Interlocked.Increment(ref _duplicates);
    }

    private async Task NotifyAsync(Push push, JujiRouteOptions route, DateTimeOffset at, CancellationToken giveUp)
    {
        // Without an id the moment belongs to the key, for the same may happen again tomorrow.
        var key = push.HasId ? $"juji/{AccountIds.Key(accountId)}/{push.Key:x32}" : $"juji/{AccountIds.Key(accountId)}/{push.Key:x32}/{at.ToUnixTimeMilliseconds()}";
        await notifier.NotifyAsync(PushRoutes.TargetOf(route.To)!, push.ForPeople(route.Data), key, cancellationToken: giveUp).ConfigureAwait(false);
    }

    private bool IsRepeated(Push push)
    {
        var now = time.GetTimestamp();
        lock (_lock)
        {
            if (_seen.TryGetValue(push.Key, out var before) && (push.HasId || time.GetElapsedTime(before, now) < Window)) return true;
            if (_seen.Count >= MostRemembered)
            {
                foreach (var old in _seen.OrderBy(static one => one.Value).Take(MostRemembered / 2).Select(static one => one.Key).ToList()) _seen.Remove(old);
            }

            _seen[push.Key] = now;
            return false;
        }
    }

    /// <summary>A topic as a part of a key: a stranger's text.</summary>
    private static string TopicPart(string topic)
    {
        var part = new StringBuilder(topic.Length);
        foreach (var c in topic) part.Append(char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/' ? char.ToLowerInvariant(c) : '_');
        return part.Length == 0 ? "other" : part.ToString();
    }

    [LoggerMessage(LogEvents.PushDeskDropped, LogLevel.Error, "Juji account {Account}: more pushes come than can be kept; some are dropped, and the status counts them.")]
    private static partial void LogDropped(ILogger logger, string account);

    [LoggerMessage(LogEvents.PushDeskNotTaken, LogLevel.Error, "Juji account {Account}: a push of topic {Topic} was not taken by {Target} ({Code}) and is lost.")]
    private static partial void LogNotTaken(ILogger logger, string account, string topic, string target, string code, Exception? fault);
}
