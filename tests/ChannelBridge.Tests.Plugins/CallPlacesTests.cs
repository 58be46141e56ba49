using ChannelBridge.Plugins.Hosting;

namespace ChannelBridge.Tests.Plugins;

public sealed class CallPlacesTests
{
    [Fact]
    public async Task WhoWaits_GetsAPlaceInTurn_AndWhoHasStoppedWaitingTakesNone()
    {
        var places = new CallPlaces(1);
        Assert.True(places.TryEnter());
        Assert.False(places.TryEnter());
        using var stop = new CancellationTokenSource();
        var first = places.EnterAsync(default);
        var stopped = places.EnterAsync(stop.Token);
        var last = places.EnterAsync(default);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stopped);
        places.Leave();
        await first;
        Assert.False(last.IsCompleted);
        places.Leave();
        await last;
        places.Leave();
        Assert.Equal(0, places.Taken);
        Assert.True(places.TryEnter());
    }

    // Of many conversations an ack may come before its push has its answer: then both have a place, and the next push waits for both.
    [Fact]
    public async Task Acks_TakePlacesThatAreNotThere_AndPushesWaitForThem()
    {
        var places = new CallPlaces(2);
        Assert.True(places.TryEnter());
        Assert.True(places.TryEnter());
        places.Enter();
        places.Enter();
        var next = places.EnterAsync(default);
        places.Leave();
        places.Leave();
        Assert.Equal((false, 2), (next.IsCompleted, places.Taken));
        places.Leave();
        await next;
        Assert.Equal(2, places.Taken);
        Assert.False(places.TryEnter());
    }
}
