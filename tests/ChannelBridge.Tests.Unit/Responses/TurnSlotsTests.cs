using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;

namespace ChannelBridge.Tests.Unit.Responses;

public sealed class TurnSlotsTests
{
    [Fact]
    public void OneOwner_LeavesASlot_AndPartOfTheLine_ToOthers()
    {
        var slots = new TurnSlots(10, 8, shared: true);
        for (var i = 0; i < 8; i++) Assert.True(slots.EnterAsync("busy", default).IsCompleted);
        for (var i = 0; i < 6; i++) Assert.False(slots.EnterAsync("busy", default).IsCompleted);
        Assert.Equal(ErrorCodes.Busy, Assert.Throws<BridgeException>(void () => _ = slots.EnterAsync("busy", default)).Code);
        Assert.True(slots.EnterAsync("other", default).IsCompleted);
        Assert.True(slots.EnterAsync("third", default).IsCompleted);
        Assert.False(slots.EnterAsync("third", default).IsCompleted);
        Assert.Equal((10, 7), (slots.Taken, slots.Waiting));
    }

    [Fact]
    public async Task WhoWaits_IsServedInTurnByOwner()
    {
        var slots = new TurnSlots(1, 10, shared: true);
        await slots.EnterAsync("a", default);
        var a1 = slots.EnterAsync("a", default);
        var a2 = slots.EnterAsync("a", default);
        var b1 = slots.EnterAsync("b", default);
        slots.Release("a");
        await a1;
        Assert.False(b1.IsCompleted);
        slots.Release("a");
        await b1;
        Assert.False(a2.IsCompleted);
        slots.Release("b");
        await a2;
        slots.Release("a");
        Assert.Equal((0, 0), (slots.Taken, slots.Waiting));
    }

    [Fact]
    public async Task WhoLeavesTheLine_HoldsNothing()
    {
        var slots = new TurnSlots(1, 2);
        await slots.EnterAsync("a", default);
        using var leave = new CancellationTokenSource();
        var waiting = slots.EnterAsync("b", leave.Token);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        slots.Release("a");
        Assert.Equal((0, 0), (slots.Taken, slots.Waiting));
        Assert.True(slots.EnterAsync("b", default).IsCompleted);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(10, 8)]
    [InlineData(100, 80)]
    public void Share_IsFourOfFive_AndNeverAllOfSeveral(int slots, int share) => Assert.Equal(share, new TurnSlots(slots, 10, shared: true).Share);
}
