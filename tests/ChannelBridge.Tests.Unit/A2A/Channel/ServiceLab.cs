using System.Collections.Concurrent;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A;
using ChannelBridge.Channels.A2A.Http;
using ChannelBridge.Channels.A2A.Push;
using ChannelBridge.Channels.A2A.Tasks;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.A2A.Channel;

/// <summary>The A2A channel over a store in memory. There is no core: a test says when and how a turn ends.</summary>
internal sealed class ServiceLab : IInbox, ITurns, IOutbox, IGuardedHttp
{
    public const string Peer = "alice";

    private readonly ConcurrentDictionary<string, OutboundMessage> _sent = new();

    public ServiceLab(Action<A2AOptions>? configure = null, bool isShared = false, TimeProvider? time = null, MemoryStore? store = null)
    {
        Time = time ?? TimeProvider.System;
        configure?.Invoke(Options);
        Store = store ?? new MemoryStore(Time);
        Records = new HookedRecords(Store);
        Pushes = new PushBook(Records, this, this, Options, Time);
        Book = new TaskBook(Records, Pushes, Options, Time);
        Lives = new LiveTasks(Book, Options, isShared, Time);
        var mapper = new MessageMapper(null, Options);
        Ends = new TaskEnds(Book, Lives, mapper, Pushes, Time);
        Service = new A2AService(
            Options, Book, Lives, new TaskKeys(Records, new Random(1)), mapper, Pushes, new RateGate(Options, Time), new CardMaker(Options, null), this, this, Records,
            new PushSenders(Pushes, Book, this, this, Options, Time, NullLogger<PushSender>.Instance), Time, NullLogger<A2AService>.Instance);
    }

    public A2AOptions Options { get; } = new() { SendsPerMinute = 100_000, ReadsPerMinute = 100_000 };

    public TimeProvider Time { get; }

    public MemoryStore Store { get; }

    public HookedRecords Records { get; }

    public PushBook Pushes { get; }

    public TaskBook Book { get; }

    public LiveTasks Lives { get; }

    public TaskEnds Ends { get; }

    public A2AService Service { get; }

    /// <summary>What was accepted, in order.</summary>
    public ConcurrentQueue<AgentTurn> Accepted { get; } = new();

    /// <summary>What was cancelled.</summary>
    public ConcurrentQueue<Guid> Cancelled { get; } = new();

    /// <summary>Notifications in the outbox.</summary>
    public IReadOnlyCollection<OutboundMessage> Sent => [.. _sent.Values];

    /// <summary>Called before a message is accepted; may wait, or throw.</summary>
    public Func<InboundMessage, Task>? BeforeAccept { get; set; }

    public static SendRequest Message(string id, string? task = null, PushConfig? push = null) => new()
    {
        Message = new A2AMessage { MessageId = id, Role = MessageRole.User, TaskId = task, Parts = [A2APart.OfText("hello")] },
        Configuration = new SendConfiguration { ReturnImmediately = true, TaskPushNotificationConfig = push },
    };

    public async Task<A2ATask> SendAsync(string id, string? task = null, PushConfig? push = null) =>
        (await Service.SendAsync(Peer, Message(id, task, push), CancellationToken.None)).Task!;

    public Task<A2ATask> GetAsync(string id) => Service.GetAsync(Peer, new GetTaskRequest { Id = id }, CancellationToken.None);

    /// <summary>The commit that ends a turn, without its being told.</summary>
    public async Task CommitEndAsync(AgentTurn turn, FinishReason finish = FinishReason.Stop, params string[] replies) =>
        await Records.WriteAsync(await EndingAsync(turn, finish, replies));

    /// <summary>What that commit would write.</summary>
    public async Task<IReadOnlyList<RecordWrite>> EndingAsync(AgentTurn turn, FinishReason finish = FinishReason.Stop, params string[] replies) =>
        await Ends.EndAsync(
            new TurnEnding { Turn = turn, Outcome = TurnOutcome.Completed, Finish = finish, Replies = [.. replies.Select(static text => new AgentReply(text))] },
            CancellationToken.None);

    /// <summary>Ends the turn of what was accepted last.</summary>
    public async Task EndAsync(FinishReason finish = FinishReason.Stop, params string[] replies)
    {
        var turn = Accepted.Last();
        await CommitEndAsync(turn, finish, replies);
        Tell(turn);
        await Pushes.SettleAsync(Peer, turn.Message.Route, CancellationToken.None);
    }

    /// <summary>Tells that an attempt is over.</summary>
    public void Tell(AgentTurn turn) => Lives.OnTurnEnded(Peer, turn.Message.Route, turn, repliesAreStatus: false);

    public async Task<List<ListEntry>> ListedAsync()
    {
        var all = new List<ListEntry>();
        await foreach (var (_, entry) in Book.ReadListAsync(Peer, null, null, CancellationToken.None)) all.Add(entry);
        return all;
    }

    public async ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        if (BeforeAccept is { } before) await before(message);
        var now = Time.GetUtcNow().ToUnixTimeMilliseconds();
        var append = new InboxAppend
        {
            Lane = new LaneKey(message.Channel, message.AccountId, message.SessionKey),
            Id = Guid.CreateVersion7(),
            DedupeKey = dedupeKey,
            DedupeUntil = now + (long)dedupeWindow.TotalMilliseconds,
            At = now,
            Payload = "{}"u8.ToArray(),
        };
        foreach (var record in records ?? []) record.With = append;
        await Store.CommitAsync([append, .. records ?? []], CancellationToken.None);
        if (!append.Duplicate) Accepted.Enqueue(new AgentTurn(append.Id, message, 1));
        return new InboxReceipt(append.KnownId, append.Duplicate);
    }

    public ValueTask<bool> CancelAsync(Guid inboxId, CancellationToken cancellationToken = default)
    {
        Cancelled.Enqueue(inboxId);
        return ValueTask.FromResult(true);
    }

    public ValueTask<OutboxReceipt> SendAsync(
        OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(new OutboxReceipt(Guid.NewGuid(), !_sent.TryAdd(idempotencyKey, message), _sent.Count));
    }

    public ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(AckResult.Acked);

    public void Attach(string channel, string accountId, IPushTarget target)
    {
        // Nobody posts here.
    }

    public void Detach(string channel, string accountId, IPushTarget target)
    {
        // As above.
    }

    public Backlog GetBacklog(string channel, string accountId) => default;

    public Task<GuardedAnswer> SendAsync(GuardedRequest request, CancellationToken cancellationToken = default) => throw new InvalidOperationException("nobody posts here");

    public ValueTask CheckAsync(Uri url, IReadOnlyList<string> networks, CancellationToken cancellationToken = default) => default;

    /// <summary>Records between whose reading and its use something can happen.</summary>
    internal sealed class HookedRecords(IRecords inner) : IRecords
    {
        public Guid StoreId => inner.StoreId;

        /// <summary>Called once, when a record was read and before the reader has it.</summary>
        public Func<Task>? AfterRead { get; set; }

        /// <summary>What was read, in order.</summary>
        public ConcurrentQueue<string> Reads { get; } = new();

        /// <summary>Called with each batch before it is written.</summary>
        public Action<IReadOnlyList<RecordWrite>>? BeforeWrite { get; set; }

        public async ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default)
        {
            Reads.Enqueue(ns);
            var record = await inner.GetRecordAsync(ns, key, cancellationToken);
            if (AfterRead is { } after)
            {
                AfterRead = null;
                await after();
            }

            return record;
        }

        public ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default)
        {
            Reads.Enqueue(ns);
            return inner.ListRecordsAsync(ns, index, after, limit, cancellationToken);
        }

        public ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(string sequence, long after, int limit, CancellationToken cancellationToken = default) =>
            inner.ReadSequenceAsync(sequence, after, limit, cancellationToken);

        public ValueTask WriteAsync(IReadOnlyList<RecordWrite> writes, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            BeforeWrite?.Invoke(writes);
            return inner.WriteAsync(writes, CancellationToken.None);
        }
    }
}
