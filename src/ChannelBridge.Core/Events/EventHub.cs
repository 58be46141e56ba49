using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Connections;
using ChannelBridge.Core.Errors;
using ChannelBridge.Core.Methods;

namespace ChannelBridge.Core.Events;

/// <summary>Parameters of <c>events.subscribe</c>.</summary>
/// <param name="Names">The events wanted; null or empty means all.</param>
public sealed record SubscribeParameters(IReadOnlyList<string>? Names = null);

/// <summary>Result of <c>events.subscribe</c> and <c>events.unsubscribe</c>.</summary>
/// <param name="Names">The events that this connection gets now.</param>
public sealed record SubscribeResult(IReadOnlyList<string> Names);

/// <summary>Parameters of a method that has none.</summary>
public sealed record NoParameters;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SubscribeParameters))]
[JsonSerializable(typeof(SubscribeResult))]
[JsonSerializable(typeof(NoParameters))]
internal sealed partial class EventsJson : JsonSerializerContext;

/// <inheritdoc cref="IEventHub"/>
internal sealed class EventHub : IEventHub, IMethodSource
{
    private const int Backlog = 1024;
    private readonly ConcurrentDictionary<string, Subscriber> _subscribers = new();

    public bool HasSubscribers => !_subscribers.IsEmpty;

    public IEnumerable<GatewayMethod> Methods =>
    [
        GatewayMethod.Create(
            "events.subscribe",
            Scopes.Read,
            "Sends live events to this connection until it closes or unsubscribes.",
            EventsJson.Default.SubscribeParameters,
            EventsJson.Default.SubscribeResult,
            (parameters, call, _) => ValueTask.FromResult(Subscribe(parameters, call.Connection))),
        GatewayMethod.Create(
            "events.unsubscribe",
            Scopes.Read,
            "Ends what events.subscribe began.",
            EventsJson.Default.NoParameters,
            EventsJson.Default.SubscribeResult,
            (_, call, _) =>
            {
                if (_subscribers.TryRemove(call.Connection.Id, out var subscriber)) subscriber.Queue.Writer.TryComplete();
                return ValueTask.FromResult(new SubscribeResult([]));
            }),
    ];

    public IEnumerable<string> Events => EventNames.All;

    public void Publish(string name, ReadOnlyMemory<byte> payload)
    {
        foreach (var (_, subscriber) in _subscribers)
        {
            if (!subscriber.Names.Contains(name)) continue;
            if (!subscriber.Queue.Writer.TryWrite((name, payload))) Interlocked.Increment(ref subscriber.Dropped);
        }
    }

    private SubscribeResult Subscribe(SubscribeParameters parameters, IClientConnection connection)
    {
        var names = parameters.Names is { Count: > 0 } wanted ? wanted.Distinct().ToList() : [.. EventNames.All];
        foreach (var name in names)
        {
            if (EventNames.All.Contains(name)) continue;
            throw BridgeException.Invalid($"events.subscribe: there is no such event; these are: {string.Join(", ", EventNames.All)}");
        }

        if (connection.Caller.Accounts is not null)
        {
            throw new BridgeException(ErrorCodes.Forbidden, "events.subscribe: a token that is limited to accounts can't watch the whole host.");
        }

        var subscriber = new Subscriber(connection, names.ToHashSet(StringComparer.Ordinal));
        _subscribers.AddOrUpdate(connection.Id, subscriber, (_, old) =>
        {
            old.Queue.Writer.TryComplete();
            return subscriber;
        });
        _ = PumpAsync(subscriber);
        return new SubscribeResult(names);
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
            _subscribers.TryRemove(new KeyValuePair<string, Subscriber>(connection.Id, subscriber));
        }
    }

    private static byte[] Count(long count) => JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, long> { ["count"] = count }, CountJson.Default.DictionaryStringInt64);

    private sealed class Subscriber(IClientConnection connection, HashSet<string> names)
    {
        public long Dropped;

        public IClientConnection Connection => connection;

        public HashSet<string> Names => names;

        public Channel<(string Name, ReadOnlyMemory<byte> Payload)> Queue { get; } =
            Channel.CreateBounded<(string, ReadOnlyMemory<byte>)>(new BoundedChannelOptions(Backlog) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    }
}

[JsonSerializable(typeof(Dictionary<string, long>))]
internal sealed partial class CountJson : JsonSerializerContext;
