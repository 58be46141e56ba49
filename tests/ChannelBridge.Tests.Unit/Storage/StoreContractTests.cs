using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>What every store promises. One suite for all engines: a derived class says how to open one.</summary>
public abstract partial class StoreContractTests : IAsyncLifetime
{
    protected const long Start = 1_767_225_600_000;

    protected static readonly LaneKey LaneA = new("bncr", "main", "agent:main:bncr:direct:a");
    protected static readonly LaneKey LaneB = new("bncr", "main", "agent:main:bncr:direct:b");
    protected static readonly LaneKey LaneC = new("bncr", "second", "agent:main:bncr:direct:c");

    private int _ids;

    protected IStore Store { get; private set; } = null!;

    protected ManualTime Time { get; } = new();

    /// <summary>Makes a store over the same data each time within a test; the test opens it.</summary>
    protected abstract IStore Create();

    public virtual async Task InitializeAsync()
    {
        Store = Create();
        await Store.OpenAsync(CancellationToken.None);
    }

    public virtual async Task DisposeAsync()
    {
        // Nothing was made when there is nothing to test with.
        if (Store is not null) await Store.DisposeAsync();
    }

    /// <summary>Closes the store in good order and opens it again.</summary>
    protected async Task ReopenAsync()
    {
        await Store.DisposeAsync();
        Store = Create();
        await Store.OpenAsync(CancellationToken.None);
    }

    protected static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    protected Guid NextId() => new(++_ids, 0, 0, new byte[8]);

    protected InboxAppend Inbox(LaneKey lane, UInt128 key, string text = "hello", long at = Start, long window = 60_000) =>
        new() { Lane = lane, Id = NextId(), DedupeKey = key, DedupeUntil = at + window, At = at, Payload = Bytes(text) };

    protected OutboxAppend Outbox(LaneKey lane, string text = "reply", long at = Start, long expiresAt = 0) =>
        new() { Lane = lane, Id = NextId(), At = at, ExpiresAt = expiresAt, Payload = Bytes(text) };

    protected static InboxUpdate Done(InboxAppend append, long at = Start) =>
        new() { LaneId = append.LaneId, Ordinal = append.Ordinal, State = TurnState.Done, Attempts = 1, At = at };

    protected static OutboxUpdate Update(OutboxAppend append, DeliveryState state, bool settled, long at = Start, string? error = null) =>
        new() { LaneId = append.LaneId, Seq = append.Seq, Id = append.Id, State = state, Settled = settled, At = at, Error = error };

    protected async Task<T> CommitAsync<T>(T write)
        where T : StoreWrite
    {
        await Store.CommitAsync(write);
        return write;
    }

    [StoreFact]
    public async Task Open_NewStore_HasIdThatSurvivesReopening()
    {
        var id = Store.StoreId;
        Assert.NotEqual(Guid.Empty, id);
        await ReopenAsync();
        Assert.Equal(id, Store.StoreId);
        Assert.NotEmpty(Store.Description);
    }

    [StoreFact]
    public async Task Probe_WritableStore_Completes() => await Store.ProbeAsync(CancellationToken.None);

    [StoreFact]
    public async Task Commit_EmptyBatch_Completes() => await Store.CommitAsync([]);

    [StoreFact]
    public async Task Commit_BatchOfMixedWrites_AppliesInOrder()
    {
        var first = Inbox(LaneA, 1);
        var second = Inbox(LaneA, 1);
        var reply = Outbox(LaneA);
        var number = new SequenceNext { Name = "n" };
        var record = new RecordPut { Namespace = "ns", Key = "k", Value = Bytes("v"), At = Start };
        await Store.CommitAsync([first, second, reply, number, record]);

        Assert.False(first.Duplicate);
        Assert.True(second.Duplicate);
        Assert.Equal(first.Id, second.KnownId);
        Assert.Equal(1, reply.Seq);
        Assert.Equal(1, number.Value);
        Assert.Equal(1, record.Version);
        await ReopenAsync();
        Assert.Equal("hello", Text(Assert.Single(await Store.ReadInboxAsync(first.LaneId, 0, 10, 1000)).Payload));
        Assert.Equal("reply", Text(Assert.Single(await Store.ReadOutboxAsync(reply.LaneId, 0, 10, 1000)).Payload));
    }

    [StoreFact]
    public async Task Commit_WriteWithOutdatedClaim_UndoesItsBatchOnly()
    {
        var before = await CommitAsync(Outbox(LaneA));
        var good = Outbox(LaneA);
        var stale = new OutboxUpdate
        {
            LaneId = before.LaneId,
            Seq = before.Seq,
            State = DeliveryState.Acked,
            Settled = true,
            At = Start,
            Claim = 0,
        };
        var others = Enumerable.Range(0, 20).Select(_ => Outbox(LaneB)).ToArray();
        var tasks = others.Take(10).Select(o => Store.CommitAsync(o).AsTask()).ToList();
        var failing = Store.CommitAsync([good, new SequenceNext { Name = "undone" }, stale]).AsTask();
        tasks.AddRange(others.Skip(10).Select(o => Store.CommitAsync(o).AsTask()));

        var error = await Assert.ThrowsAsync<BridgeException>(() => failing);
        Assert.Equal(ErrorCodes.ClaimLost, error.Code);
        await Task.WhenAll(tasks);
        Assert.Null(await Store.GetOutboxAsync(good.Id));
        Assert.Equal(DeliveryState.Accepted, (await Store.GetOutboxAsync(before.Id))!.State);
        Assert.Equal(Enumerable.Range(1, 20).Select(i => (long)i), others.Select(o => o.Seq).Order());
        Assert.Equal(2, (await CommitAsync(Outbox(LaneA))).Seq);
        Assert.Equal(1, (await CommitAsync(new SequenceNext { Name = "undone" })).Value);
    }

    [StoreFact]
    public async Task Commit_CancelledToken_WritesNothing()
    {
        var append = Outbox(LaneA);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await Store.CommitAsync(append, new CancellationToken(canceled: true)));
        Assert.Null(await Store.GetOutboxAsync(append.Id));
    }

    [StoreFact]
    public async Task Dispose_WithQueuedCommits_FinishesThem()
    {
        var appends = Enumerable.Range(0, 500).Select(i => Inbox(i % 2 == 0 ? LaneA : LaneC, (UInt128)i)).ToArray();
        var tasks = appends.Select(a => Store.CommitAsync(a).AsTask()).ToArray();
        await ReopenAsync();
        await Task.WhenAll(tasks);
        foreach (var append in appends) Assert.NotNull(await Store.GetInboxAsync(append.Id));
    }

    [StoreFact]
    public async Task AnyCall_AfterDispose_SaysThatTheStoreIsClosed()
    {
        await Store.DisposeAsync();
        var write = await Assert.ThrowsAsync<BridgeException>(async () => await Store.CommitAsync(Outbox(LaneA)));
        var read = await Assert.ThrowsAsync<BridgeException>(async () => await Store.CountAsync());
        Assert.Equal(ErrorCodes.StoreUnavailable, write.Code);
        Assert.Equal(ErrorCodes.StoreUnavailable, read.Code);
    }
}
