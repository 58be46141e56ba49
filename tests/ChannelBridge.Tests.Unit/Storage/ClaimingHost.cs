using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres;
using ChannelBridge.Storage.Postgres.Claims;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>The store and the claims of a host, and what the claims told it.</summary>
internal sealed class ClaimingHost : IClaimObserver, IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly SemaphoreSlim _news = new(0);

    public ClaimingHost(string schema, TimeSpan claimTime)
    {
        var options = new PostgresStoreOptions
        {
            ConnectionString = PostgresServer.Require(),
            Schema = schema,
            ClaimTime = claimTime,
            ClaimLinger = TimeSpan.FromMilliseconds(100),
        };
        Store = new PostgresStore(options, NullLogger<PostgresStore>.Instance, TimeProvider.System);
        Claims = new PostgresClaims(Store, options, NullLogger<PostgresClaims>.Instance, TimeProvider.System);
    }

    public PostgresStore Store { get; }

    public PostgresClaims Claims { get; }

    public long Number => (long)Claims.Describe()["host"]!;

    public ConcurrentQueue<PendingLane> Work { get; } = new();

    public ConcurrentQueue<PendingLane> Refused { get; } = new();

    public ConcurrentQueue<PendingLane> Outgoing { get; } = new();

    public ConcurrentDictionary<string, long> Pushes { get; } = new();

    public ConcurrentQueue<string> Displaced { get; } = new();

    public async Task StartAsync()
    {
        await Store.OpenAsync(CancellationToken.None);
        await Claims.StartAsync(this, CancellationToken.None);
        // Deaf at first; what a test does afterwards is to be heard.
        await WaitAsync(() => (bool)Claims.Describe()["listening"]!);
    }

    /// <summary>Accepts a message, long ago unless said otherwise; gives its lane, with the message's number.</summary>
    public async Task<PendingLane> AppendAsync(string session, long at = 1)
    {
        var append = new InboxAppend
        {
            Lane = new LaneKey("bncr", "main", session),
            Id = Guid.CreateVersion7(),
            DedupeKey = KeyOf(Guid.NewGuid()),
            DedupeUntil = long.MaxValue,
            At = at,
            Payload = new byte[] { 1 },
        };
        await Store.CommitAsync(append);
        return new PendingLane(append.LaneId, append.Lane, append.Ordinal);
    }

    public async Task<OutboxAppend> ReplyAsync(string session)
    {
        var append = new OutboxAppend { Lane = new LaneKey("bncr", "main", session), Id = Guid.NewGuid(), At = 1, Payload = new byte[] { 1 }, Claim = StoreWrite.Unfenced };
        await Store.CommitAsync(append);
        return append;
    }

    /// <summary>Waits until something is so; looks whenever the claims have told something, and now and then.</summary>
    public async Task WaitAsync(Func<bool> condition)
    {
        var deadline = DateTime.UtcNow + Patience;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "it didn't happen in time");
            await _news.WaitAsync(TimeSpan.FromMilliseconds(50));
        }
    }

    public void OnTurnWork(IReadOnlyList<PendingLane> lanes) => Note(Work, lanes);

    public void OnTurnsRefused(IReadOnlyList<PendingLane> lanes) => Note(Refused, lanes);

    public void OnPushWork(IReadOnlyList<PendingLane> lanes) => Note(Outgoing, lanes);

    public void OnPushesTaken(string channel, string account, long claim)
    {
        Pushes[account] = claim;
        _news.Release();
    }

    public void OnPushesLost(string channel, string account, bool displaced)
    {
        if (displaced) Displaced.Enqueue(account);
        _news.Release();
    }

    public ConcurrentQueue<Guid> Cancelled { get; } = new();

    public void OnTurnUrgent(Guid turn)
    {
        Cancelled.Enqueue(turn);
        _news.Release();
    }

    public void OnLook(bool everything)
    {
    }

    public void OnPushLook(IReadOnlyList<(string Channel, string Account)> accounts)
    {
    }

    public void OnCounts(IReadOnlyList<AccountCounts> counts)
    {
    }

    public async ValueTask DisposeAsync()
    {
        await Claims.DisposeAsync();
        await Store.DisposeAsync();
        _news.Dispose();
    }

    private static UInt128 KeyOf(Guid id) => new(BitConverter.ToUInt64(id.ToByteArray()), BitConverter.ToUInt64(id.ToByteArray().AsSpan(8)));

    private void Note(ConcurrentQueue<PendingLane> queue, IReadOnlyList<PendingLane> lanes)
    {
        foreach (var lane in lanes) queue.Enqueue(lane);
        _news.Release();
    }
}
