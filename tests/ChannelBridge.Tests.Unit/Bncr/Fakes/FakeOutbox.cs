using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Bncr.Fakes;

/// <summary>An outbox that notes what it is told and answers as a test says.</summary>
internal sealed class FakeOutbox : IOutbox
{
    private readonly ConcurrentDictionary<string, (IPushTarget? Target, TaskCompletionSource Changed)> _targets = new();

    public List<(OutboundMessage Message, string Key)> Sent { get; } = [];

    public ConcurrentQueue<Ack> Acks { get; } = new();

    public ConcurrentQueue<IPushTarget> Detached { get; } = new();

    public int Attaches;

    public AckResult Result { get; set; } = AckResult.Acked;

    public Backlog Backlog { get; set; }

    public ValueTask<OutboxReceipt> SendAsync(
        OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        lock (Sent)
        {
            var duplicate = Sent.Exists(sent => sent.Key == idempotencyKey && sent.Message.AccountId == message.AccountId);
            if (!duplicate) Sent.Add((message, idempotencyKey));
            return ValueTask.FromResult(new OutboxReceipt(MessageIds.ForOutbox(message.Channel, message.AccountId, idempotencyKey), duplicate, Sent.Count));
        }
    }

    public ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        Acks.Enqueue(ack);
        return ValueTask.FromResult(Result);
    }

    public void Attach(string channel, string accountId, IPushTarget target)
    {
        Interlocked.Increment(ref Attaches);
        Set(accountId, target);
    }

    public void Detach(string channel, string accountId, IPushTarget target)
    {
        Detached.Enqueue(target);
        if (_targets.TryGetValue(Key(accountId), out var current) && ReferenceEquals(current.Target, target)) Set(accountId, null);
    }

    public Backlog GetBacklog(string channel, string accountId) => Backlog;

    /// <summary>Waits until the account's target is the one on this connection (or none).</summary>
    public async Task<IPushTarget?> AttachedAsync(string accountId, string? connectionId)
    {
        while (true)
        {
            var current = _targets.GetOrAdd(Key(accountId), _ => (null, Signal()));
            if (current.Target?.ConnectionId == connectionId) return current.Target;
            await current.Changed.Task.WaitAsync(TimeSpan.FromSeconds(60));
        }
    }

    private void Set(string accountId, IPushTarget? target)
    {
        TaskCompletionSource? before = null;
        _targets.AddOrUpdate(Key(accountId), _ => (target, Signal()), (_, old) =>
        {
            before = old.Changed;
            return (target, Signal());
        });
        before?.TrySetResult();
    }

    private static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static string Key(string accountId) => accountId.ToLowerInvariant();
}
