using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Bench;

/// <summary>The channel's id, which begins the paths of its endpoints.</summary>
internal sealed record WorkName(string Id);

/// <summary>
/// The channel of the rows about plugins. Its endpoints say what it is to do and answer what it measured; it is the same class inside a host and in a
/// process of its own.
/// </summary>
internal sealed class WorkChannel(WorkName name, IInbox inbox, IOutbox outbox, ISpool spool) : IChannel, IEndpointSource, IPushTarget
{
    /// <summary>The last part of its endpoints' paths, and their verbs.</summary>
    public static readonly (string Verb, string Path)[] Endpoints = [("POST", "accept"), ("POST", "fill"), ("POST", "drain"), ("POST", "file"), ("GET", "events"), ("GET", "self")];

    private const string Account = "main";
    private static readonly string Text = string.Concat(Enumerable.Repeat("0123456789abcdef", 64));
    private readonly ConcurrentQueue<long> _pushedAt = new();
    private volatile Drain? _draining;
    // Begins where no channel before it has been: the host knows keys again.
    private long _next = Stopwatch.GetTimestamp();

    public string Id => name.Id;

    public string Channel => Id;

    public IEnumerable<RpcMethod> Methods => [];

    public IEnumerable<HttpEndpoint> Http => Endpoints.Select(endpoint => new HttpEndpoint
    {
        Verbs = [endpoint.Verb],
        Path = $"/{Id}/{endpoint.Path}",
        Access = EndpointAccess.Anonymous,
        Handler = endpoint.Path switch
        {
            "accept" => AcceptAsync,
            "fill" => FillAsync,
            "drain" => DrainAsync,
            "file" => ImportAsync,
            "events" => TellAsync,
            _ => DescribeAsync,
        },
    });

    public IEnumerable<SocketEndpoint> Sockets => [];

    public string ConnectionId => "work";

    public bool RequiresAck => true;

    public DateTimeOffset LastReceivedAt => DateTimeOffset.UtcNow;

    public CancellationToken Closed => CancellationToken.None;

    public bool ClosedByClient => false;

    public ValueTask StartAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask StopAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [new() { AccountId = Account, Connected = true, ActiveConnections = 1 }];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        throw new NotSupportedException("the channel sends by itself");

    /// <summary>Notes the time and acks at once; nobody waits for the ack's own answer.</summary>
    public ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken = default)
    {
        _pushedAt.Enqueue(Stopwatch.GetTimestamp());
        _ = outbox.AckAsync(new Ack(item.Id, Id, Account, Ok: true), cancellationToken: CancellationToken.None).AsTask();
        _draining?.Pushed();
        return new ValueTask<PushOutcome>(PushOutcome.Flushed);
    }

    // Keeps so many messages on their way for so long.
    private async ValueTask AcceptAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var duration = TimeSpan.FromSeconds(Number(exchange, "seconds"));
        var latencies = new ConcurrentBag<double>();
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, (int)Number(exchange, "inFlight")).Select(lane => Task.Run(async () =>
        {
            while (clock.Elapsed < duration)
            {
                var begun = Stopwatch.GetTimestamp();
                var number = Interlocked.Increment(ref _next);
                var message = new InboundMessage
                {
                    Channel = Id,
                    AccountId = Account,
                    SessionKey = $"{Id}:u{lane}",
                    Route = $"u{lane}",
                    SenderId = "bench",
                    Agent = "echo",
                    MessageId = number.ToString(CultureInfo.InvariantCulture),
                    Text = Text,
                };
                await inbox.AcceptAsync(message, (UInt128)number, TimeSpan.FromDays(1), cancellationToken: cancellationToken);
                latencies.Add(Stopwatch.GetElapsedTime(begun).TotalMicroseconds);
            }
        })));
        await AnswerAsync(exchange, new JsonObject { ["rate"] = latencies.Count / clock.Elapsed.TotalSeconds, ["count"] = latencies.Count, ["p50"] = Middle(latencies) });
    }

    // Messages of one conversation, which wait.
    private async ValueTask FillAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        const int AtOnce = 64;
        outbox.Detach(Id, Account, this);
        var left = (long)Number(exchange, "count");
        // From here on, because a host in another process may hear of it a little later.
        _pushedAt.Clear();
        _draining = new Drain(left);
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var message = new OutboundMessage { Channel = Id, AccountId = Account, SessionKey = $"{Id}:drain", Route = "drain", Text = Text };
                await outbox.SendAsync(message, Interlocked.Increment(ref _next).ToString(CultureInfo.InvariantCulture), cancellationToken: cancellationToken);
            }
        })));
        await AnswerAsync(exchange, []);
    }

    // The times from one push to the next, each of which is made when the one before is acked.
    private async ValueTask DrainAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        outbox.Attach(Id, Account, this);
        await _draining!.Done.WaitAsync(cancellationToken);
        var at = _pushedAt.ToArray();
        await AnswerAsync(exchange, new JsonObject
        {
            ["rate"] = (at.Length - 1) / Stopwatch.GetElapsedTime(at[0], at[^1]).TotalSeconds,
            ["p50"] = Middle(at.Zip(at.Skip(1), static (before, after) => Stopwatch.GetElapsedTime(before, after).TotalMicroseconds)),
        });
    }

    private async ValueTask ImportAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(exchange.Request.QueryValue("path")!, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var clock = Stopwatch.StartNew();
        var taken = await spool.ImportAsync(Id, Account, file, "bench.bin", "application/octet-stream", file.Length, cancellationToken);
        await AnswerAsync(exchange, new JsonObject { ["seconds"] = clock.Elapsed.TotalSeconds, ["size"] = taken.Size });
    }

    private static async ValueTask TellAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var data = Encoding.ASCII.GetBytes(new string('x', (int)Number(exchange, "bytes")));
        var events = await exchange.BeginEventsAsync(cancellationToken: cancellationToken);
        for (var left = (long)Number(exchange, "count"); left > 0; left--)
        {
            if (!await events.WriteAsync(new ServerEvent(data), cancellationToken)) return;
        }
    }

    private ValueTask DescribeAsync(HttpExchange exchange, CancellationToken cancellationToken) =>
        AnswerAsync(exchange, new JsonObject { ["process"] = Environment.ProcessId });

    private static ValueTask AnswerAsync(HttpExchange exchange, JsonObject answer) => exchange.AnswerAsync(HttpAnswer.Json(Encoding.UTF8.GetBytes(answer.ToJsonString())));

    private static double Number(HttpExchange exchange, string parameter) =>
        double.Parse(exchange.Request.QueryValue(parameter)!, CultureInfo.InvariantCulture);

    private static double Middle(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? 0 : sorted[sorted.Count / 2];
    }

    private sealed class Drain(long count)
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _left = count;

        public Task Done => _done.Task;

        public void Pushed()
        {
            if (Interlocked.Decrement(ref _left) == 0) _done.TrySetResult();
        }
    }
}
