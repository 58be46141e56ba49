using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Storage;

public abstract partial class StoreContractTests
{
    /// <summary>Random batches go to the store and to the model in memory; every result and every read must be the same.</summary>
    [StoreTheory]
    [InlineData(1)]
    [InlineData(20260928)]
    [InlineData(777)]
    public async Task AnyWrites_Seeded_AgreeWithTheModel(int seed)
    {
        var random = new Random(seed);
        var model = new MemoryStore(Time);
        var state = new ModelState();
        var now = Start;
        for (var round = 0; round < 300; round++)
        {
            var step = random.Next(1, 400);
            now += step;
            Time.Advance(TimeSpan.FromMilliseconds(step));
            var writes = Enumerable.Range(0, random.Next(1, 12)).Select(_ => RandomWrite(random, state, now)).ToList();
            var mine = writes.Select(w => w()).ToList();
            var theirs = ModelState.Repeat(mine);
            await CommitAsync(mine);
            await model.CommitAsync(theirs);
            Assert.Equal(theirs.Select(Result), mine.Select(Result));
            state.Learn(mine);
            if (round % 10 == 9) await CompareAsync(model, state, random);
            if (round % 50 == 49) await ReopenAsync();
            if (round % 40 == 39)
            {
                var limits = new SweepLimits(now, now - random.Next(9000), now - random.Next(9000));
                Assert.Equal(await model.SweepAsync(limits), await Store.SweepAsync(limits));
            }
        }

        await CompareAsync(model, state, random);
    }

    /// <summary>Commits a batch of the model's; where commits are made to fail, until one succeeds.</summary>
    protected virtual ValueTask CommitAsync(IReadOnlyList<StoreWrite> writes) => Store.CommitAsync(writes);

    private async Task CompareAsync(MemoryStore model, ModelState state, Random random)
    {
        foreach (var id in state.InboxIds) Assert.Equal(Show(await model.GetInboxAsync(id)), Show(await Store.GetInboxAsync(id)));
        foreach (var id in state.OutboxIds) Assert.Equal(Show(await model.GetOutboxAsync(id)), Show(await Store.GetOutboxAsync(id)));
        foreach (var lane in state.Lanes)
        {
            var (after, limit, bytes) = (random.Next(0, 5), random.Next(1, 10), random.Next(1, 200));
            Assert.Equal((await model.ReadInboxAsync(lane, after, limit, bytes)).Select(Show), (await Store.ReadInboxAsync(lane, after, limit, bytes)).Select(Show));
            Assert.Equal((await model.ReadOutboxAsync(lane, after, limit, bytes)).Select(Show), (await Store.ReadOutboxAsync(lane, after, limit, bytes)).Select(Show));
        }

        var from = random.Next(0, 3);
        Assert.Equal(await model.ListTurnLanesAsync(from, 5), await Store.ListTurnLanesAsync(from, 5));
        foreach (var lane in ModelState.Keys)
        {
            Assert.Equal(
                await model.ListPushLanesAsync(lane.Channel, lane.Account, from, 5), await Store.ListPushLanesAsync(lane.Channel, lane.Account, from, 5));
        }

        var query = new OutboxQuery
        {
            Account = random.Next(2) == 0 ? null : "main",
            States = random.Next(2) == 0 ? [] : [(DeliveryState)random.Next(6), (DeliveryState)random.Next(6)],
            Descending = random.Next(2) == 0,
            Limit = random.Next(1, 40),
        };
        for (var page = 0; page < 5; page++)
        {
            var expected = await model.QueryOutboxAsync(query);
            Assert.Equal(expected.Select(Show), (await Store.QueryOutboxAsync(query)).Select(Show));
            if (expected.Count == 0) break;
            query = query with { After = (expected[^1].AcceptedAt, expected[^1].Id) };
        }

        Assert.Equal(Order(await model.CountAsync()), Order(await Store.CountAsync()));
        foreach (var ns in new[] { "n1", "n2" })
        {
            foreach (var index in new[] { null, "x", "y" })
            {
                Assert.Equal((await model.ListRecordsAsync(ns, index, "k2", 5)).Select(Show), (await Store.ListRecordsAsync(ns, index, "k2", 5)).Select(Show));
            }
        }

        static IEnumerable<AccountCounts> Order(IEnumerable<AccountCounts> counts) => counts.OrderBy(c => c.Channel).ThenBy(c => c.Account);
    }

    private static Func<StoreWrite> RandomWrite(Random random, ModelState state, long now)
    {
        var lane = ModelState.Keys[random.Next(ModelState.Keys.Length)];
        var laneId = state.Lanes.Count == 0 ? 1 : state.Lanes.ElementAt(random.Next(state.Lanes.Count));
        var number = random.Next(1, 40);
        var text = new string((char)('a' + random.Next(26)), random.Next(0, 60));
        return random.Next(14) switch
        {
            < 3 => () => new InboxAppend
            {
                Lane = lane,
                Id = ModelState.NewId(random),
                DedupeKey = (UInt128)random.Next(1, 12) << (70 * random.Next(2)),
                DedupeUntil = now + random.Next(0, 4000),
                At = now,
                Payload = Bytes(text),
            },
            < 5 => () => new OutboxAppend
            {
                Lane = lane,
                Id = random.Next(4) == 0 && state.OutboxIds.Count > 0 ? state.OutboxIds.ElementAt(random.Next(state.OutboxIds.Count)) : ModelState.NewId(random),
                At = now - random.Next(3),
                ExpiresAt = random.Next(2) * (now + 5),
                ReplyTo = random.Next(2) == 0 ? null : Guid.NewGuid(),
                Payload = Bytes(text),
            },
            < 7 => () => new InboxUpdate
            {
                LaneId = laneId,
                Ordinal = number,
                State = (TurnState)random.Next(3),
                Attempts = random.Next(9),
                NextAttemptAt = now + 1,
                Error = random.Next(2) == 0 ? null : text,
                At = now,
            },
            < 10 => () => new OutboxUpdate
            {
                LaneId = laneId,
                Seq = number,
                Id = state.IdAt(laneId, number, random),
                State = (DeliveryState)random.Next(4),
                Settled = random.Next(2) == 0,
                Attempts = random.Next(9),
                NextAttemptAt = now + 1,
                Error = random.Next(2) == 0 ? null : text,
                HistoryLine = Bytes(random.Next(2) == 0 ? "" : $"{{\"at\":{now}}}"),
                PushedAt = random.Next(2) * (now - 1),
                At = now,
            },
            10 => () => new OutboxUpdate
            {
                LaneId = laneId,
                Seq = number,
                State = random.Next(2) == 0 ? DeliveryState.Dead : DeliveryState.Expired,
                Settled = true,
                Attempts = 10,
                Error = text,
                At = now,
            },
            11 => () =>
            {
                var id = state.OutboxIds.Count == 0 ? Guid.NewGuid() : state.OutboxIds.ElementAt(random.Next(state.OutboxIds.Count));
                return random.Next(3) == 0 ? new OutboxDiscard { Id = id } : new OutboxReplay { Id = id, At = now, HistoryLine = Bytes(text) };
            }
            ,
            12 => () => new RecordPut
            {
                Namespace = $"n{random.Next(1, 3)}",
                Key = $"k{random.Next(9)}",
                Value = Bytes(text),
                Index = random.Next(3) switch { 0 => null, 1 => "x", _ => "y" },
                ExpectedVersion = random.Next(3) == 0 ? random.Next(4) : null,
                ExpiresAt = random.Next(2) * (now + random.Next(1, 3000)),
                At = now,
            },
            _ => () => random.Next(2) == 0
                ? new RecordDelete { Namespace = $"n{random.Next(1, 3)}", Key = $"k{random.Next(9)}" }
                : new SequenceNext { Name = $"s{random.Next(3)}" },
        };
    }

    private static string Result(StoreWrite write) => write switch
    {
        InboxAppend w => w.Duplicate ? $"inbox duplicate of {w.KnownId}" : $"inbox {w.LaneId}/{w.Ordinal} {w.KnownId}",
        OutboxAppend w => $"outbox {w.LaneId}/{w.Seq} {w.Duplicate}",
        OutboxReplay w => $"replay {w.Replayed} {w.LaneId}/{w.Seq}",
        OutboxDiscard w => $"discard {w.Discarded}",
        RecordPut w => $"put {w.Version} {w.Conflict}",
        SequenceNext w => $"sequence {w.Value}",
        _ => "",
    };

    private static string Show(InboxEntry? e) => e is null ? "none" : $"{e with { Payload = default }} {Text(e.Payload)}";

    private static string Show(OutboxEntry? e) => e is null ? "none" : $"{e with { Payload = default, History = default }} {Text(e.History)} {Text(e.Payload)}";

    private static string Show(StoreRecord? r) => r is null ? "none" : $"{r with { Value = default }} {Text(r.Value)}";

    private sealed class ModelState
    {
        public static readonly LaneKey[] Keys =
        [
            LaneA, LaneB, LaneC, new("juji", "main", "x"), new("juji", "main", "y"), new("bncr", "second", "z"),
        ];

        private readonly Dictionary<(long, long), Guid> _places = [];

        public HashSet<Guid> InboxIds { get; } = [];

        public HashSet<Guid> OutboxIds { get; } = [];

        public SortedSet<long> Lanes { get; } = [];

        /// <summary>The id of the entry at a place, or now and then none.</summary>
        public Guid IdAt(long lane, long seq, Random random) => random.Next(5) == 0 ? Guid.Empty : _places.GetValueOrDefault((lane, seq));

        public static Guid NewId(Random random)
        {
            var bytes = new byte[16];
            random.NextBytes(bytes);
            return new Guid(bytes);
        }

        /// <summary>The same writes again, without results.</summary>
        public static List<StoreWrite> Repeat(List<StoreWrite> writes) => [.. writes.Select(w => (StoreWrite)(w switch
        {
            InboxAppend a => new InboxAppend { Lane = a.Lane, Id = a.Id, DedupeKey = a.DedupeKey, DedupeUntil = a.DedupeUntil, At = a.At, Payload = a.Payload },
            OutboxAppend a => new OutboxAppend { Lane = a.Lane, Id = a.Id, At = a.At, ExpiresAt = a.ExpiresAt, Payload = a.Payload, ReplyTo = a.ReplyTo },
            OutboxReplay r => new OutboxReplay { Id = r.Id, At = r.At, HistoryLine = r.HistoryLine },
            OutboxDiscard d => new OutboxDiscard { Id = d.Id },
            RecordPut p => new RecordPut
            {
                Namespace = p.Namespace,
                Key = p.Key,
                Value = p.Value,
                Index = p.Index,
                ExpectedVersion = p.ExpectedVersion,
                ExpiresAt = p.ExpiresAt,
                At = p.At,
            },
            SequenceNext s => new SequenceNext { Name = s.Name },
            _ => w,
        }))];

        public void Learn(List<StoreWrite> writes)
        {
            foreach (var write in writes)
            {
                switch (write)
                {
                    case InboxAppend a:
                        InboxIds.Add(a.Id);
                        Lanes.Add(a.LaneId);
                        break;
                    case OutboxAppend a:
                        OutboxIds.Add(a.Id);
                        Lanes.Add(a.LaneId);
                        _places[(a.LaneId, a.Seq)] = a.Id;
                        break;
                    case OutboxReplay { Replayed: true } r:
                        _places[(r.LaneId, r.Seq)] = r.Id;
                        break;
                }
            }
        }
    }
}
