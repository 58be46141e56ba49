using ChannelBridge.Core.Messaging;

namespace ChannelBridge.Tests.Unit.Messaging;

public sealed class LaneWindowTests
{
    [Fact]
    public void Offer_FirstOfANewLane_NeedsNoLoad()
    {
        var window = new LaneWindow<string>(8, new LaneMemory(1000));
        window.Offer(1, "a", 1);
        Assert.Equal(LaneNext.Item, window.Peek(out var number, out var item));
        Assert.Equal((1, "a"), (number, item));
    }

    [Fact]
    public void Offer_PositionUnknown_AsksForALoad()
    {
        var window = new LaneWindow<string>(8, new LaneMemory(1000));
        window.Offer(5, "e", 1);
        Assert.Equal(LaneNext.Load, window.Peek(out _, out _));
    }

    [Fact]
    public void Load_NotComplete_AsksAgainAfterTheLastEntry()
    {
        // Guards: a lane with more stored entries than one read brings must not rest after the first page.
        var window = new LaneWindow<string>(8, new LaneMemory(1000));
        window.Announce(1);
        window.Load([(1, "a", 1), (2, "b", 1)], complete: false, knownBefore: 1);
        window.Advance(1);
        window.Advance(2);
        Assert.Equal(LaneNext.Load, window.Peek(out _, out _));
        window.Load([], complete: true, knownBefore: 2);
        Assert.Equal(LaneNext.Nothing, window.Peek(out _, out _));
    }

    [Fact]
    public void Memory_UsedUp_LeavesEntriesInTheStore()
    {
        var memory = new LaneMemory(10);
        var window = new LaneWindow<string>(8, memory);
        window.Offer(1, "a", 10);
        window.Offer(2, "b", 10);
        window.Advance(1);
        Assert.Equal(0, memory.Used);
        Assert.Equal(LaneNext.Load, window.Peek(out _, out _));
    }

    /// <summary>Whatever the order of offers, loads, finishes and rewinds: every entry is seen once per rewind, in order, and the memory count returns to 0.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void RandomInterleavings_KeepOrderAndLoseNothing(int seed)
    {
        for (var round = 0; round < 300; round++)
        {
            var random = new Random((seed * 10_000) + round);
            var memory = new LaneMemory(random.Next(3, 40));
            var window = new LaneWindow<string>(random.Next(2, 9), memory);
            var total = random.Next(1, 60);
            var finished = new SortedSet<long>();
            var committed = 0L;
            var offers = new List<long>();
            var taken = new List<long>();
            while (finished.Count < total)
            {
                switch (random.Next(5))
                {
                    case 0 when committed < total:
                        offers.Add(++committed);
                        break;
                    case 1 when offers.Count > 0:
                        var index = random.Next(offers.Count);
                        window.Offer(offers[index], $"#{offers[index]}", 1);
                        offers.RemoveAt(index);
                        break;
                    case 2 when random.Next(10) == 0 && taken.Count > 0:
                        window.Reset(random.Next((int)taken[^1] + 1));
                        break;
                    default:
                        Take();
                        break;
                }

                // When every offer is made, the lane must get to its end by itself.
                if (committed == total && offers.Count == 0) Take();
            }

            Assert.Equal(taken.Order(), taken);
            Assert.Equal(Enumerable.Range(1, total).Select(number => (long)number), taken);
            window.Reset(0);
            Assert.Equal(0, memory.Used);

            void Take()
            {
                switch (window.Peek(out var number, out var item))
                {
                    case LaneNext.Item:
                        Assert.Equal($"#{number}", item);
                        // After a rewind, finished entries aren't shown by the store; one that is still in memory was never finished.
                        Assert.DoesNotContain(number, finished);
                        finished.Add(number);
                        taken.Add(number);
                        window.Advance(number);
                        break;
                    case LaneNext.Load:
                        var after = Math.Max(window.Last, 0);
                        var known = window.Known;
                        var limit = Math.Min(window.LoadLimit, random.Next(1, 5));
                        var page = Enumerable.Range(1, (int)committed).Select(n => (long)n).Where(n => n > after && !finished.Contains(n)).Take(limit)
                            .Select(n => (n, $"#{n}", 1)).ToList();
                        window.Load(page, complete: page.Count == 0, known);
                        break;
                }
            }
        }
    }
}
