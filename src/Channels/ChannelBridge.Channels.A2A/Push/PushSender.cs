using System.Text;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Channels.A2A.Tasks;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.A2A.Push;

/// <summary>
/// Posts the notifications of one peer's tasks. The outbox keeps their order, retries and receipts; an answer of the receiver is the ack.
/// </summary>
internal sealed partial class PushSender(
    string peer, PushBook pushes, TaskBook tasks, IOutbox outbox, IGuardedHttp http, A2AOptions options, TimeProvider time, ILogger logger) : IPushTarget, IDisposable
{
    private const int AtOnce = 16;

    private readonly CancellationTokenSource _closed = new();
    private readonly SemaphoreSlim _places = new(AtOnce, AtOnce);

    /// <summary>Whose they are.</summary>
    public string Peer => peer;

    public string ConnectionId => "a2a-push-" + peer;

    public bool RequiresAck => true;

    public DateTimeOffset LastReceivedAt { get; private set; }

    public CancellationToken Closed => _closed.Token;

    public bool ClosedByClient => false;

    public async ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        if (_closed.IsCancellationRequested) return PushOutcome.Gone;
        // Receivers answer in their own time: the next lane's doesn't wait for this one's.
        if (!await _places.WaitAsync(TimeSpan.Zero, cancellationToken).ConfigureAwait(false)) return PushOutcome.Full;
        _ = PostAsync(item);
        return PushOutcome.Flushed;
    }

    public void Close() => _closed.Cancel();

    public void Dispose()
    {
        _closed.Dispose();
        _places.Dispose();
    }

    private async Task PostAsync(PushItem item)
    {
        try
        {
            var ack = await AnswerAsync(item).ConfigureAwait(false);
            LastReceivedAt = time.GetUtcNow();
            await outbox.AckAsync(ack, cancellationToken: _closed.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_closed.IsCancellationRequested)
        {
            // The host stops: what has no ack is posted again.
        }
        catch (Exception fault)
        {
            LogNotSettled(fault, item.Id);
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task<Ack> AnswerAsync(PushItem item)
    {
        var slash = item.Message.Route.IndexOf('/', StringComparison.Ordinal);
        var (taskId, id) = (item.Message.Route[..slash], item.Message.Route[(slash + 1)..]);
        if (await pushes.FindAsync(peer, taskId, id, _closed.Token).ConfigureAwait(false) is not { } config)
            return Refused(item, "the push configuration was removed");
        var body = await BodyAsync(item, taskId, config).ConfigureAwait(false);
        if (body.IsEmpty) return Refused(item, "the task is gone");
        try
        {
            var answer = await http.SendAsync(RequestOf(config, body), _closed.Token).ConfigureAwait(false);
            await using (answer.ConfigureAwait(false))
            {
                if (answer.Status is >= 200 and < 300) return new Ack(item.Id, A2AChannel.ChannelId, peer, Ok: true, Delivered: true);
                if (answer.Status is >= 300 and < 400) return Refused(item, $"the receiver redirects ({answer.Status}); notifications don't follow");
                var error = $"the receiver answers {answer.Status}";
                if (answer.Status is >= 400 and < 500 and not (408 or 425 or 429)) return Refused(item, error);
                return new Ack(item.Id, A2AChannel.ChannelId, peer, Ok: false, Error: error, RetryAfter: RetryAfter(answer));
            }
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.InvalidRequest)
        {
            return Refused(item, fault.Message);
        }
        catch (BridgeException fault)
        {
            return new Ack(item.Id, A2AChannel.ChannelId, peer, Ok: false, Error: fault.Message);
        }
    }

    private static TimeSpan? RetryAfter(GuardedAnswer answer) =>
        int.TryParse(answer.Header("Retry-After"), out var seconds) && seconds is > 0 and <= 3600 ? TimeSpan.FromSeconds(seconds) : null;

    private static Ack Refused(PushItem item, string reason) => new(item.Id, A2AChannel.ChannelId, item.Message.AccountId, Ok: false, Fatal: true, Error: reason);

    /// <summary>0.3 posts the task as it is, 1.0 the change.</summary>
    private async ValueTask<ReadOnlyMemory<byte>> BodyAsync(PushItem item, string taskId, KeptPush config)
    {
        if (config.Version != Versions.V03) return Encoding.UTF8.GetBytes(item.Message.Text);
        return await tasks.FindAsync(peer, taskId, withArtifacts: true, _closed.Token).ConfigureAwait(false) is { } stored
            ? A2ADialect.V03.Task.ToBytes(stored.Task)
            : default(ReadOnlyMemory<byte>);
    }

    private GuardedRequest RequestOf(KeptPush config, ReadOnlyMemory<byte> body)
    {
        var headers = new List<KeyValuePair<string, string>>();
        if (config.Token is { Length: > 0 } token) headers.Add(new("X-A2A-Notification-Token", token));
        if (config.Credentials is { Length: > 0 } credentials) headers.Add(new("Authorization", $"{(config.Scheme is { Length: > 0 } scheme ? scheme : "Bearer")} {credentials}"));
        if (config.Version != Versions.V03) headers.Add(new(Versions.Header, config.Version));
        return new GuardedRequest
        {
            Url = new Uri(config.Url),
            Verb = "POST",
            Headers = headers,
            Secrets = ["X-A2A-Notification-Token"],
            Content = body,
            ContentType = config.Version == Versions.V03 ? "application/json" : "application/a2a+json",
            Networks = options.Networks,
            Timeout = options.PushTimeout,
            MaxBytes = 64 * 1024,
        };
    }

    [LoggerMessage(LogEvents.PushSenderNotSettled, LogLevel.Warning, "What became of the push notification {Id} could not be recorded; it is posted again")]
    private partial void LogNotSettled(Exception fault, Guid id);
}
