using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Tests.Plugins;

public sealed class CallPlacesTests
{
    [Fact]
    public async Task WhoWaits_GetsAPlaceInTurn_AndWhoHasStoppedWaitingTakesNone()
    {
        using var gone = new CancellationTokenSource();
        var places = new CallPlaces(1, gone.Token);
        Assert.True(places.TryEnter());
        Assert.False(places.TryEnter());
        using var stop = new CancellationTokenSource();
        var first = places.EnterAsync(default).AsTask();
        var stopped = places.EnterAsync(stop.Token).AsTask();
        var last = places.EnterAsync(default).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stopped);
        places.Leave();
        Assert.True(await first);
        Assert.False(last.IsCompleted);
        places.Leave();
        Assert.True(await last);
        places.Leave();
        Assert.Equal(0, places.Taken);
        Assert.True(places.TryEnter());
        var late = places.EnterAsync(default).AsTask();
        await gone.CancelAsync();
        Assert.False(await late);
    }

    // Of many conversations an ack may come before its push has its answer: then both have a place, and the next push waits for both.
    [Fact]
    public async Task Acks_TakePlacesThatAreNotThere_AndPushesWaitForThem()
    {
        var places = new CallPlaces(2, default);
        Assert.True(places.TryEnter());
        Assert.True(places.TryEnter());
        places.Enter();
        places.Enter();
        var next = places.EnterAsync(default).AsTask();
        places.Leave();
        places.Leave();
        Assert.Equal((false, 2), (next.IsCompleted, places.Taken));
        places.Leave();
        Assert.True(await next);
        Assert.Equal(2, places.Taken);
        Assert.False(places.TryEnter());
    }
}
