using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres.Writing;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>How the PostgreSQL writer sorts a group into statements.</summary>
public sealed class GroupPlanTests
{
    private static readonly LaneKey Lane = new("bncr", "main", "lane");

    [Fact]
    public void Make_UsualTraffic_IsOneStageForEachKind()
    {
        var units = new List<StoreWrite[]>();
        for (var i = 0; i < 50; i++)
        {
            units.Add([Append(i)]);
            units.Add([Reply(), Turn(i)]);
            units.Add([Push(i)]);
        }

        Assert.Equal([(StageKind.InboxAppend, 50), (StageKind.OutboxAppend, 50), (StageKind.InboxUpdate, 50), (StageKind.OutboxUpdate, 50)], Shape(units));
    }

    [Fact]
    public void Make_SameEntryTwice_IsTwoStages() =>
        Assert.Equal(
            [(StageKind.InboxAppend, 2), (StageKind.InboxAppend, 1), (StageKind.OutboxUpdate, 1), (StageKind.OutboxUpdate, 1)],
            Shape([[Append(1)], [Append(2)], [Append(1)], [Push(5)], [Push(5)]]));

    [Fact]
    public void Make_RandomUnits_KeepTheOrderWithinEach()
    {
        var random = new Random(4711);
        for (var round = 0; round < 200; round++)
        {
            var batches = Enumerable.Range(0, random.Next(1, 12)).Select(_ => Enumerable.Range(0, random.Next(1, 8)).Select(_ => Any(random)).ToArray()).ToArray();
            var stages = Plan(batches);
            var places = stages.SelectMany((s, stage) => s.Writes.Select((w, index) => (Write: w, Place: (stage, index)))).ToList();
            Assert.Equal(batches.Sum(b => b.Length), places.Count);
            foreach (var batch in batches)
            {
                var order = batch.Select(w => places.Single(p => ReferenceEquals(p.Write, w)).Place).ToList();
                Assert.Equal(order.Order(), order);
            }

            foreach (var stage in stages) Assert.Single(stage.Writes.Select(w => w.GetType()).Distinct());
        }
    }

    private static IEnumerable<(StageKind, int)> Shape(IEnumerable<StoreWrite[]> units) => Plan(units).Select(s => (s.Kind, s.Writes.Count));

    private static List<Stage> Plan(IEnumerable<StoreWrite[]> units)
    {
        var plan = new GroupPlan();
        foreach (var unit in units) plan.Add(unit);
        return plan.Stages;
    }

    private static StoreWrite Any(Random random) => random.Next(5) switch
    {
        0 => Append(random.Next(4)),
        1 => Reply(),
        2 => Turn(random.Next(4)),
        3 => Push(random.Next(4)),
        _ => new SequenceNext { Name = "n" },
    };

    private static InboxAppend Append(int key) =>
        new() { Lane = Lane, Id = Guid.NewGuid(), DedupeKey = (UInt128)key, DedupeUntil = 1, At = 0, Payload = default };

    private static OutboxAppend Reply() => new() { Lane = Lane, Id = Guid.NewGuid(), At = 0, Payload = default };

    private static InboxUpdate Turn(int ordinal) => new() { LaneId = 1, Ordinal = ordinal, State = TurnState.Done, At = 0 };

    private static OutboxUpdate Push(int seq) => new() { LaneId = 1, Seq = seq, State = DeliveryState.Acked, Settled = true, At = 0 };
}
