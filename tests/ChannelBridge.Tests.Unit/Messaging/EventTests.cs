using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Core.Events;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Live events, and how a subscriber that was away catches up: without a gap, or with a clear word that there is one.</summary>
public sealed class EventTests
{
    private readonly ManualTime _time = new();
    private readonly EventHub _hub;

    public EventTests() => _hub = new EventHub(_time, kept: 100);

    [Fact]
    public async Task Since_GivesWhatHappenedAfterTheCursor_InOrderAndInPages()
    {
        var watcher = new Watcher();
        var start = (string)(await CallAsync("events.subscribe", new { }, watcher))["cursor"]!;
        for (var number = 0; number < 10; number++) Publish(number);
        var seen = new List<int>();
        var cursor = start;
        bool more;
        do
        {
            var page = await CallAsync("events.since", new { cursor, limit = 4 });
            seen.AddRange(page["events"]!.AsArray().Select(past => (int)past!["payload"]!["n"]!));
            (cursor, more) = ((string)page["cursor"]!, (bool)page["more"]!);
        }
        while (more);

        Assert.Equal(Enumerable.Range(0, 10), seen);
        Assert.Empty((await CallAsync("events.since", new { cursor }))["events"]!.AsArray());
        var middle = (string)(await watcher.TakeAsync(5))[^1]["cursor"]!;
        Assert.Equal(5, (int)(await CallAsync("events.since", new { cursor = middle }))["events"]![0]!["payload"]!["n"]!);
    }

    [Fact]
    public async Task Subscribe_Since_BringsTheMissedOnesFirst_WithoutGapOrRepetition()
    {
        var first = new Watcher();
        await CallAsync("events.subscribe", new { }, first);
        for (var number = 0; number < 5; number++) Publish(number);
        var last = (string)(await first.TakeAsync(5))[^1]["cursor"]!;
        first.Close();
        // Published by one thread while the other subscribes: wherever it falls, nothing is lost or doubled.
        var publishing = Task.Run(() =>
        {
            for (var number = 5; number < 60; number++) Publish(number);
        });
        var second = new Watcher();
        await CallAsync("events.subscribe", new { since = last }, second);
        await publishing;
        Assert.Equal(Enumerable.Range(5, 55), (await second.TakeAsync(55)).Select(payload => (int)payload["n"]!));
    }

    [Fact]
    public async Task CursorTooOld_OfAnotherRun_OrGarbage_GetsACode_NeverAGap()
    {
        var cursor = (string)(await CallAsync("events.subscribe", new { }, new Watcher()))["cursor"]!;
        for (var number = 0; number < 101; number++) Publish(number);
        Assert.Equal((ErrorCodes.Conflict, "cursor-too-old"), await RefusedAsync(_hub, cursor));
        Assert.Equal((ErrorCodes.InvalidRequest, "cursor-malformed"), await RefusedAsync(_hub, "nonsense"));
        Assert.Equal((ErrorCodes.InvalidRequest, "cursor-malformed"), await RefusedAsync(_hub, ""));
        var other = new EventHub(_time);
        Assert.Equal((ErrorCodes.Conflict, "cursor-of-another-run"), await RefusedAsync(other, cursor));
    }

    [Fact]
    public async Task RecordingEnds_SomeMinutesAfterTheLastSubscriber_AndItsCursorsAreTooOldThen()
    {
        Assert.False(_hub.HasSubscribers);
        var watcher = new Watcher();
        var cursor = (string)(await CallAsync("events.subscribe", new { }, watcher))["cursor"]!;
        await CallAsync("events.unsubscribe", new { }, watcher);
        _time.Advance(TimeSpan.FromMinutes(9));
        Publish(1);
        Assert.Single((await CallAsync("events.since", new { cursor }))["events"]!.AsArray());
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.False(_hub.HasSubscribers);
        Assert.Equal((ErrorCodes.Conflict, "cursor-too-old"), await RefusedAsync(_hub, cursor));
    }

    private void Publish(int number) => _hub.Publish(EventNames.TurnEnded, Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    private async Task<(string Code, string? Reason)> RefusedAsync(EventHub hub, string cursor)
    {
        var error = await Assert.ThrowsAsync<BridgeException>(() => CallAsync("events.since", new { cursor }, hub: hub));
        var same = await Assert.ThrowsAsync<BridgeException>(() => CallAsync("events.subscribe", new { since = cursor }, hub: hub));
        Assert.Equal((error.Code, (string?)error.Details!["reason"]), (same.Code, (string?)same.Details!["reason"]));
        return (error.Code, (string?)error.Details!["reason"]);
    }

    private async Task<JsonNode> CallAsync(string name, object parameters, Watcher? watcher = null, EventHub? hub = null)
    {
        var output = new ArrayBufferWriter<byte>();
        var method = (hub ?? _hub).Methods.Single(candidate => candidate.Name == name);
        await method.InvokeAsync(JsonSerializer.SerializeToUtf8Bytes(parameters), new MethodCall(watcher ?? new Watcher()), output, CancellationToken.None);
        return JsonNode.Parse(output.WrittenSpan)!;
    }

    private sealed class Watcher : IClientConnection
    {
        private readonly ConcurrentQueue<JsonNode> _events = new();
        private readonly SemaphoreSlim _arrived = new(0);
        private readonly CancellationTokenSource _closed = new();

        public string Id { get; } = Guid.NewGuid().ToString();

        public Caller Caller { get; } = new("tester", Scopes.All, Door.Local);

        public CancellationToken Closed => _closed.Token;

        public bool ClosedByClient => false;

        public DateTimeOffset LastReceivedAt => DateTimeOffset.UnixEpoch;

        public void Close() => _closed.Cancel();

        public async Task<List<JsonNode>> TakeAsync(int count)
        {
            var taken = new List<JsonNode>();
            while (taken.Count < count)
            {
                Assert.True(await _arrived.WaitAsync(CoreUnderTest.Patience));
                Assert.True(_events.TryDequeue(out var next));
                taken.Add(next);
            }

            return taken;
        }

        public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
        {
            _events.Enqueue(JsonNode.Parse(payload.Span)!);
            _arrived.Release();
            return ValueTask.FromResult(PushOutcome.Flushed);
        }
    }
}
