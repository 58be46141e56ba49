using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Hosting;

/// <summary>One holder among the hosts.</summary>
public sealed class HostClaimTests
{
    private static readonly TimeSpan ClaimTime = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task One_host_holds_a_claim_and_another_has_it_when_it_is_given_up()
    {
        var time = new ManualTime();
        var store = new MemoryStore(time);
        var first = new SharedHosts(store, ClaimTime, time).Take("dial/main");
        await first.HeldAsync(default);
        await using var second = new SharedHosts(store, ClaimTime, time).Take("dial/main");
        await using var other = new SharedHosts(store, ClaimTime, time).Take("dial/other");
        await other.HeldAsync(default);
        for (var i = 0; i < 40; i++) time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(first.IsHeld);
        Assert.False(second.IsHeld);
        var lost = await first.HeldAsync(default);
        await first.DisposeAsync();
        Assert.True(lost.IsCancellationRequested);
        await HeldAsync(second, time);
    }

    [Fact]
    public async Task A_host_that_does_not_reach_the_store_loses_its_claim_before_another_has_it()
    {
        var time = new ManualTime();
        var store = new MemoryStore(time);
        var cut = false;
        var first = new SharedHosts(store, ClaimTime, time).Take("dial");
        var lost = await first.HeldAsync(default);
        await using var second = new SharedHosts(store, ClaimTime, time).Take("dial");
        var firstHeldWhenSecondCame = false;
        cut = true;
        store.BeforeCommit = batch =>
            cut && System.Text.Encoding.ASCII.GetString(((Abstractions.Storage.RecordPut)batch[0]).Value.Span) is var host && host.Length > 0 && first.IsHeld
                ? throw new BridgeException(ErrorCodes.StoreUnavailable, "cut off")
                : Task.CompletedTask;
        for (var i = 0; i < 60 && !second.IsHeld; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
            firstHeldWhenSecondCame |= second.IsHeld && first.IsHeld;
        }

        await HeldAsync(second, time);
        Assert.True(lost.IsCancellationRequested);
        Assert.False(firstHeldWhenSecondCame);
        cut = false;
        await first.DisposeAsync();
    }

    [Fact]
    public async Task On_a_store_for_one_host_every_claim_is_held()
    {
        await using var claim = new SingleHost().Take("dial");
        Assert.True(claim.IsHeld);
        Assert.False((await claim.HeldAsync(default)).CanBeCanceled);
    }

    private static async Task HeldAsync(Abstractions.Hosting.IHostClaim claim, ManualTime time)
    {
        var held = claim.HeldAsync(default).AsTask();
        while (!held.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.True(claim.IsHeld);
    }
}
