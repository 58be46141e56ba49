using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Core.Events;

/// <inheritdoc cref="IEventHub"/>
/// <remarks>
/// The last events are kept so that a subscriber that was away can catch up. They are recorded from the first subscription on until some minutes after the
/// last subscriber has left: a host that nobody watches pays nothing, and a cursor from before says that it is too old.
/// </remarks>
internal sealed class EventHub : IEventHub, IMethodSource
{
    private const int Backlog = 1024;
    private const int MostKept = 8192;
    private const long BufferBytes = 8 << 20;
    private const int MostPast = 1000;
    private static readonly TimeSpan RecordAfterTheLast = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, Subscriber> _subscribers = new();
    private readonly Lock _gate = new();
    private readonly EventBuffer _buffer;
    private readonly ITimer _idle;
    private volatile bool _recording;

    public EventHub(TimeProvider time, int kept = MostKept)
    {
        _buffer = new EventBuffer(kept, BufferBytes);
        _idle = time.CreateTimer(_ => StopRecording(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Methods =
        [
            RpcMethod.Create(
                "events.subscribe", Scopes.Read, "Sends live events to this connection until it closes or unsubscribes; first those after params.since.",
                EventsJson.Default.SubscribeParameters, EventsJson.Default.SubscribeResult,
                (parameters, call, _) => ValueTask.FromResult(Subscribe(parameters, call.Connection))),
            RpcMethod.Create(
                "events.unsubscribe", Scopes.Read, "Ends what events.subscribe began.",
                EventsJson.Default.NoParameters, EventsJson.Default.SubscribeResult,
                (_, call, _) =>
                {
                    if (_subscribers.TryRemove(call.Connection.Id, out var subscriber)) subscriber.Queue.Writer.TryComplete();
                    Left();
                    return ValueTask.FromResult(new SubscribeResult([]));
                }),
            RpcMethod.Create(
                "events.since", Scopes.Read, "The events after a cursor, while the host still has them.",
                EventsJson.Default.SinceParameters, EventsJson.Default.SinceResult,
                (parameters, call, _) => ValueTask.FromResult(Since(parameters, call.Caller))),
        ];
    }

    public bool HasSubscribers => _recording;

    public IEnumerable<RpcMethod> Methods { get; }

    public IEnumerable<string> Events => EventNames.All;

    public void Publish(string name, ReadOnlyMemory<byte> payload)
    {
        // Under one lock, so that every subscriber and the buffer see one order.
        lock (_gate)
        {
            if (!_recording) return;
            var numbered = _buffer.Add(name, payload.Span);
            foreach (var (_, subscriber) in _subscribers)
            {
                if (!subscriber.Names.Contains(name)) continue;
                if (!subscriber.Queue.Writer.TryWrite((name, numbered.Payload))) Interlocked.Increment(ref subscriber.Dropped);
            }
        }
    }

    private SubscribeResult Subscribe(SubscribeParameters parameters, IClientConnection connection)
    {
        var names = Check("events.subscribe", parameters.Names, connection.Caller);
        Subscriber subscriber;
        string cursor;
        lock (_gate)
        {
            IReadOnlyList<NumberedEvent> missed = [];
            if (parameters.Since is { } since) missed = [.. _buffer.After(Require("events.subscribe", since)).Where(past => names.Contains(past.Name))];
            subscriber = new Subscriber(connection, names.ToHashSet(StringComparer.Ordinal), missed.Count + Backlog);
            foreach (var past in missed) subscriber.Queue.Writer.TryWrite((past.Name, past.Payload));
            _recording = true;
            _idle.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            cursor = _buffer.Cursor;
            _subscribers.AddOrUpdate(connection.Id, subscriber, (_, old) =>
            {
                old.Queue.Writer.TryComplete();
                return subscriber;
            });
        }

        _ = PumpAsync(subscriber);
        return new SubscribeResult(names, cursor);
    }

    private SinceResult Since(SinceParameters parameters, Caller caller)
    {
        var names = Check("events.since", parameters.Names, caller);
        var limit = parameters.Limit ?? 100;
        if (limit is < 1 or > MostPast) throw BridgeException.Invalid($"events.since: params.limit must be 1 to {MostPast}.");
        List<NumberedEvent> found;
        string cursor;
        var more = false;
        lock (_gate)
        {
            found = [.. _buffer.After(Require("events.since", parameters.Cursor)).Where(past => names.Contains(past.Name)).Take(limit + 1)];
            if (more = found.Count > limit) found.RemoveAt(limit);
            cursor = more ? _buffer.CursorOf(found[^1].Number) : _buffer.Cursor;
        }

        return new SinceResult([.. found.Select(past => new PastEvent(past.Name, Parse(past.Payload)))], cursor, more);
    }

    /// <summary>The number of a cursor after which nothing is missing.</summary>
    private long Require(string method, string cursor)
    {
        var fit = _buffer.Read(cursor, out var number);
        if (fit == CursorFit.Good) return number;
        var (code, reason, text) = fit switch
        {
            CursorFit.Malformed => (ErrorCodes.InvalidRequest, "cursor-malformed", "this is no cursor that events.subscribe or an event gave."),
            CursorFit.OtherRun => (ErrorCodes.Conflict, "cursor-of-another-run",
                "the cursor is of another host or of before its restart, and events aren't kept over it; subscribe anew and look with outbox.list at what has changed."),
            _ => (ErrorCodes.Conflict, "cursor-too-old", "events after this cursor are gone already; subscribe anew and look with outbox.list at what has changed."),
        };
        throw new BridgeException(code, $"{method}: {text}") { Details = new JsonObject { ["reason"] = reason } };
    }

    private static List<string> Check(string method, IReadOnlyList<string>? wanted, Caller caller)
    {
        var names = wanted is { Count: > 0 } some ? some.Distinct().ToList() : [.. EventNames.All];
        if (names.Exists(name => !EventNames.All.Contains(name)))
        {
            throw BridgeException.Invalid($"{method}: there is no such event; these are: {string.Join(", ", EventNames.All)}");
        }

        if (caller.IsLimited)
        {
            throw new BridgeException(ErrorCodes.Forbidden, $"{method}: a token that is limited to accounts, channels or platforms can't watch the whole host.");
        }

        return names;
    }

    private async Task PumpAsync(Subscriber subscriber)
    {
        var connection = subscriber.Connection;
        try
        {
            await foreach (var (name, payload) in subscriber.Queue.Reader.ReadAllAsync(connection.Closed).ConfigureAwait(false))
            {
                var dropped = Interlocked.Exchange(ref subscriber.Dropped, 0);
                if (dropped > 0) await connection.PushAsync(EventNames.Dropped, Count(dropped), connection.Closed).ConfigureAwait(false);
                var outcome = await connection.PushAsync(name, payload, connection.Closed).ConfigureAwait(false);
                if (outcome == PushOutcome.Full) Interlocked.Increment(ref subscriber.Dropped);
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
        finally
        {
            if (_subscribers.TryRemove(new KeyValuePair<string, Subscriber>(connection.Id, subscriber))) Left();
        }
    }

    private void Left()
    {
        lock (_gate)
        {
            if (_subscribers.IsEmpty && _recording) _idle.Change(RecordAfterTheLast, Timeout.InfiniteTimeSpan);
        }
    }

    private void StopRecording()
    {
        lock (_gate)
        {
            if (!_subscribers.IsEmpty) return;
            _recording = false;
            _buffer.Clear();
        }
    }

    private static JsonElement Parse(ReadOnlyMemory<byte> payload)
    {
        var reader = new Utf8JsonReader(payload.Span);
        return JsonElement.ParseValue(ref reader);
    }

    private static byte[] Count(long count) => JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, long> { ["count"] = count }, EventsJson.Default.DictionaryStringInt64);

    private sealed class Subscriber(IClientConnection connection, HashSet<string> names, int capacity)
    {
        public long Dropped;

        public IClientConnection Connection => connection;

        public HashSet<string> Names => names;

        public Channel<(string Name, ReadOnlyMemory<byte> Payload)> Queue { get; } =
            Channel.CreateBounded<(string, ReadOnlyMemory<byte>)>(new BoundedChannelOptions(capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    }
}
