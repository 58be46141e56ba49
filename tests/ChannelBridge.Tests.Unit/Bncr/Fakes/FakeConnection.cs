using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;

namespace ChannelBridge.Tests.Unit.Bncr.Fakes;

/// <summary>A client's connection that notes the events it gets.</summary>
internal sealed class FakeConnection(string id, Caller caller) : IClientConnection
{
    private readonly CancellationTokenSource _closed = new();
    private readonly SemaphoreSlim _arrived = new(0);
    private readonly ConcurrentQueue<(string Name, JsonNode Payload)> _unread = new();

    public string Id => id;

    public Caller Caller { get; set; } = caller;

    public CancellationToken Closed => _closed.Token;

    public bool ClosedByClient { get; private set; }

    public DateTimeOffset LastReceivedAt { get; set; }

    public PushOutcome Outcome { get; set; } = PushOutcome.Flushed;

    public int Pushes;

    public async ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        if (_closed.IsCancellationRequested) return PushOutcome.Gone;
        if (Outcome is not PushOutcome.Flushed) return Outcome;
        Interlocked.Increment(ref Pushes);
        _unread.Enqueue((eventName, JsonNode.Parse(payload.Span)!));
        _arrived.Release();
        return PushOutcome.Flushed;
    }

    /// <summary>The next event, in the order of arrival.</summary>
    public async Task<(string Name, JsonNode Payload)> NextAsync()
    {
        Assert.True(await _arrived.WaitAsync(TimeSpan.FromSeconds(60)), "no event came");
        Assert.True(_unread.TryDequeue(out var next));
        return next;
    }

    public void Close(bool orderly = true)
    {
        ClosedByClient = orderly;
        _closed.Cancel();
    }
}
