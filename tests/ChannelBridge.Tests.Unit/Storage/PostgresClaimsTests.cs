using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres.Claims;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>Several hosts' claims on one database, without the hosts: who gets what, who is turned away, who is told.</summary>
[NeedsServer(PostgresServer.Variable)]
public sealed class PostgresClaimsTests : IAsyncLifetime
{
    private readonly string _schema = $"c{Guid.NewGuid():N}";
    private readonly List<ClaimingHost> _hosts = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts) await host.DisposeAsync();
        if (_hosts.Count > 0) await PostgresServer.ExecuteAsync($"DROP SCHEMA IF EXISTS {_schema} CASCADE");
    }

    [StoreFact]
    public async Task Take_ManyHostsAtOnce_GiveEachLaneToOne()
    {
        var hosts = new[] { await StartAsync(), await StartAsync(), await StartAsync() };
        var lanes = new List<PendingLane>();
        for (var i = 0; i < 200; i++) lanes.Add(await hosts[i % 3].AppendAsync($"lane {i}"));
        var taken = await Task.WhenAll(hosts.Select(async host =>
        {
            var mine = new HashSet<long>();
            // Rows that another host is just taking are left out, so the rest is asked for again.
            for (var round = 0; round < 5; round++) mine.UnionWith((await host.Claims.TakeAsync(lanes, CancellationToken.None)).Select(lane => lane.Id));
            return mine;
        }));
        Assert.Equal(lanes.Select(lane => lane.Id).Order(), taken.SelectMany(mine => mine).Order());
        for (var i = 0; i < 3; i++)
        {
            foreach (var lane in lanes) Assert.Equal(taken[i].Contains(lane.Id), hosts[i].Claims.Enter(lane.Id) != 0);
        }
    }

    [StoreFact]
    public async Task HostThatExpired_LosesItsLanes_AndItsOldClaimWritesNothing()
    {
        var (old, young) = (await StartAsync(TimeSpan.FromSeconds(4)), await StartAsync());
        var lane = await old.AppendAsync("lane");
        Assert.Single(await old.Claims.TakeAsync([lane], CancellationToken.None));
        var claim = old.Claims.Enter(lane.Id);
        await old.Store.CommitAsync(Done(lane, claim, TurnState.Pending));
        Assert.Empty(await young.Claims.TakeAsync([lane], CancellationToken.None));

        // As if it had hung: the server's clock decides, not the host's.
        await PostgresServer.ExecuteAsync($"UPDATE {_schema}.host SET expires_at = clock_timestamp() - interval '1 second' WHERE id = {old.Number}");
        Assert.Single(await young.Claims.TakeAsync([lane], CancellationToken.None));
        var next = young.Claims.Enter(lane.Id);
        Assert.True(next > claim, $"{next} isn't newer than {claim}");

        var error = await Assert.ThrowsAsync<BridgeException>(async () => await old.Store.CommitAsync(Done(lane, claim, TurnState.Done)));
        Assert.Equal(ErrorCodes.ClaimLost, error.Code);
        Assert.Equal(TurnState.Pending, Assert.Single(await young.Store.ReadInboxAsync(lane.Id, 0, 10, 1000)).State);
        await young.Store.CommitAsync(Done(lane, next, TurnState.Done));
        Assert.Empty(await young.Store.ReadInboxAsync(lane.Id, 0, 10, 1000));

        // The first one notices, and is a new host from then on.
        await old.WaitAsync(() => !old.Claims.IsCurrent(lane.Id, claim));
        await old.WaitAsync(() => old.Claims.Fault is null);
        Assert.Equal(0, old.Claims.Enter(lane.Id));
    }

    [StoreFact]
    public async Task Want_LaneOfAnotherHost_TellsItsOwner()
    {
        var (owner, other) = (await StartAsync(), await StartAsync());
        var lane = await owner.AppendAsync("lane");
        await owner.Claims.TakeAsync([lane], CancellationToken.None);
        owner.Claims.Enter(lane.Id);
        var more = await other.AppendAsync("lane");
        other.Claims.Want(more);
        await other.WaitAsync(() => other.Refused.Any(refused => refused.Id == lane.Id));
        await owner.WaitAsync(() => owner.Work.Any(work => work.Id == lane.Id && work.Known == more.Known));
    }

    /// <summary>Guards what three hosts on one database are worth: a host that looks for work must not take what another one has just accepted.</summary>
    [StoreFact]
    public async Task TakeLeft_JustAccepted_IsLeftToTheHostThatAcceptedIt()
    {
        var (acceptor, other) = (await StartAsync(), await StartAsync());
        var (fresh, left) = (await acceptor.AppendAsync("fresh", at: 100_000), await acceptor.AppendAsync("left", at: 90_000));
        var commands = new ClaimCommands(other.Store.Connections.Claims, other.Store.StoreId, TimeSpan.FromSeconds(30), CancellationToken.None);
        Assert.Equal(left.Id, Assert.Single(await commands.TakeLeftAsync(other.Number, [fresh.Id, left.Id], now: 100_900)).Lane);
        Assert.Equal(fresh.Id, Assert.Single((await commands.TakeAsync(acceptor.Number, [fresh.Id])).Taken).Lane);

        var forgotten = await acceptor.AppendAsync("forgotten", at: 100_000);
        Assert.Equal(forgotten.Id, Assert.Single(await commands.TakeLeftAsync(other.Number, [forgotten.Id], now: 101_100)).Lane);
    }

    [StoreFact]
    public async Task Leave_LaneAtRest_IsFreeAfterAWhile_ButNotWhileItHasWork()
    {
        var (first, second) = (await StartAsync(), await StartAsync());
        var lane = await first.AppendAsync("lane");
        await first.Claims.TakeAsync([lane], CancellationToken.None);
        var claim = first.Claims.Enter(lane.Id);
        first.Claims.Leave(lane.Id, claim);
        // It has an unfinished message: given back, it is wanted again at once, and nobody else need be told.
        await first.WaitAsync(() => first.Work.Any(work => work.Id == lane.Id));
        var again = first.Claims.Enter(lane.Id);
        await first.Store.CommitAsync(Done(lane, again, TurnState.Done));
        first.Claims.Leave(lane.Id, again);
        await second.WaitAsync(() => second.Claims.TakeAsync([lane], CancellationToken.None).AsTask().GetAwaiter().GetResult().Count == 1);
    }

    [StoreFact]
    public async Task PassOn_GoesToAnotherHost()
    {
        var (first, second) = (await StartAsync(), await StartAsync());
        var lane = await first.AppendAsync("lane");
        await first.Claims.TakeAsync([lane], CancellationToken.None);
        first.Claims.PassOn(lane, first.Claims.Enter(lane.Id));
        await second.WaitAsync(() => second.Work.Any(work => work.Id == lane.Id));
        Assert.NotEqual(0, second.Claims.Enter(lane.Id));
        Assert.Empty(await first.Claims.TakeAsync([lane], CancellationToken.None));
    }

    [StoreFact]
    public async Task Stop_FreesEverythingAtOnce()
    {
        var (first, second) = (await StartAsync(), await StartAsync());
        var lane = await first.AppendAsync("lane");
        await first.Claims.TakeAsync([lane], CancellationToken.None);
        first.Claims.Enter(lane.Id);
        first.Claims.WantPushes("bncr", "main", 1, "token");
        await first.WaitAsync(() => first.Pushes.ContainsKey("main"));
        second.Claims.WantPushes("bncr", "main", 0, "token");
        await second.WaitAsync(() => second.Displaced.Contains("main"));
        await first.Claims.StopAsync();
        Assert.Single(await second.Claims.TakeAsync([lane], CancellationToken.None));
        await second.WaitAsync(() => second.Pushes.ContainsKey("main"));
    }

    [StoreFact]
    public async Task Pushes_NewestClientWins_TheFormerHostIsToldAndItsFailuresAreFenced()
    {
        var (first, second) = (await StartAsync(), await StartAsync());
        first.Claims.WantPushes("bncr", "main", 1, "token");
        await first.WaitAsync(() => first.Pushes.ContainsKey("main"));
        var reply = await first.ReplyAsync("lane");
        second.Claims.WantPushes("bncr", "main", 2, "token");
        await second.WaitAsync(() => second.Pushes.ContainsKey("main"));
        await first.WaitAsync(() => first.Displaced.Contains("main"));

        OutboxUpdate Dead(long claim) => new() { LaneId = reply.LaneId, Seq = reply.Seq, State = DeliveryState.Dead, Settled = true, At = 1, Claim = claim };
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await first.Store.CommitAsync(Dead(first.Pushes["main"])));
        Assert.Equal(ErrorCodes.ClaimLost, error.Code);

        // What a client says is true whoever hears it.
        await first.Store.CommitAsync(new OutboxUpdate
        {
            LaneId = reply.LaneId,
            Seq = reply.Seq,
            Id = reply.Id,
            State = DeliveryState.Acked,
            Settled = true,
            At = 1,
            Claim = StoreWrite.Unfenced,
        });
        await second.Store.CommitAsync(Dead(second.Pushes["main"]));
        Assert.Equal(DeliveryState.Acked, (await second.Store.GetOutboxAsync(reply.Id))!.State);

        // The newer one leaves: the older one gets its account back.
        first.Pushes.Clear();
        second.Claims.DropPushes("bncr", "main");
        await first.WaitAsync(() => first.Pushes.ContainsKey("main"));
    }

    [StoreFact]
    public async Task Pushes_ClientOfAnotherHolder_DoesNotDisplace()
    {
        var (first, second) = (await StartAsync(), await StartAsync());
        first.Claims.WantPushes("bncr", "main", 1, "shop");
        await first.WaitAsync(() => first.Pushes.ContainsKey("main"));
        second.Claims.WantPushes("bncr", "main", 2, "stranger");
        await second.WaitAsync(() => second.Displaced.Contains("main"));
        Assert.DoesNotContain("main", first.Displaced);
        first.Claims.DropPushes("bncr", "main");
        await second.WaitAsync(() => second.Pushes.ContainsKey("main"));
    }

    [StoreFact]
    public async Task TellPusher_ReplyMadeElsewhere_WakesTheHostThatPushes()
    {
        var (pusher, other) = (await StartAsync(), await StartAsync());
        pusher.Claims.WantPushes("bncr", "main", 1, "token");
        await pusher.WaitAsync(() => pusher.Pushes.ContainsKey("main"));
        var reply = await other.ReplyAsync("lane");
        other.Claims.TellPusher(reply.LaneId);
        await pusher.WaitAsync(() => pusher.Outgoing.Any(lane => lane.Id == reply.LaneId && lane.Known == reply.Seq));
    }

    private static InboxUpdate Done(PendingLane lane, long claim, TurnState state) =>
        new() { LaneId = lane.Id, Ordinal = lane.Known, State = state, At = 1, Claim = claim };

    // Long, so that a machine that stands still for a while takes no claim away that a test counts on.
    private async Task<ClaimingHost> StartAsync(TimeSpan? claimTime = null)
    {
        var host = new ClaimingHost(_schema, claimTime ?? TimeSpan.FromMinutes(1));
        _hosts.Add(host);
        await host.StartAsync();
        return host;
    }
}
