using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Core.Net;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.InstaClaw;

public sealed class HeartbeatTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    [Fact]
    public void Beat_ThreePingsUnanswered_IsDeadNinetySecondsAfterTheFirstOfThem()
    {
        var time = new ManualTime();
        var heartbeat = new Heartbeat(3, TimeSpan.Zero, time);
        var beats = new List<bool>();
        for (var i = 0; i < 4; i++)
        {
            time.Advance(Interval);
            beats.Add(heartbeat.Beat());
        }

        Assert.Equal([true, true, true, false], beats);
        Assert.Equal(3, heartbeat.Missed);
    }

    [Fact]
    public void Beat_AnythingHeard_BeginsAnew()
    {
        var time = new ManualTime();
        var heartbeat = new Heartbeat(3, TimeSpan.Zero, time);
        for (var i = 0; i < 20; i++)
        {
            time.Advance(Interval);
            Assert.True(heartbeat.Beat());
            // A message every third interval is sign of life enough.
            if (i % 3 == 2) heartbeat.Heard();
        }
    }

    [Fact]
    public void Beat_WithThreshold_IsDeadAfterItsTimeOfSilence()
    {
        var time = new ManualTime();
        var heartbeat = new Heartbeat(3, TimeSpan.FromSeconds(60), time);
        time.Advance(Interval);
        Assert.True(heartbeat.Beat());
        time.Advance(Interval);
        Assert.False(heartbeat.Beat());
    }

    [Fact]
    public void Backoff_CeilingsDoubleToTheHighest_AndTheJitterIsFull()
    {
        var backoff = new ReconnectBackoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30), new FixedRandom(0.5));
        var ceilings = new List<double>();
        var waits = new List<double>();
        for (var i = 0; i < 7; i++)
        {
            ceilings.Add(backoff.Ceiling.TotalSeconds);
            waits.Add(backoff.Next().TotalSeconds);
        }

        Assert.Equal([1, 2, 4, 8, 16, 30, 30], ceilings);
        Assert.Equal([0.5, 1, 2, 4, 8, 15, 15], waits);
        backoff.Reset();
        Assert.Equal(1, backoff.Ceiling.TotalSeconds);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4096)]
    public void FrameTap_TellsThePongsAmongOtherFrames_HoweverTheBytesAreCut(int cut)
    {
        var pongs = new List<long>();
        var tap = new FrameTap(pongs.Add);
        var bytes = new List<byte>("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"u8.ToArray());
        bytes.AddRange([0x81, 0x05, .. "hello"u8]);
        bytes.AddRange([0x8A, 0x08, 0, 0, 0, 0, 0, 0, 0, 7]);
        bytes.AddRange([0x81, 126, 0x01, 0x00, .. Enumerable.Repeat((byte)0x8A, 256)]);
        bytes.AddRange([0x8A, 0x02, 1, 2]);
        bytes.AddRange([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, .. new byte[65536]]);
        bytes.AddRange([0x89, 0x00]);
        bytes.AddRange([0x8A, 0x08, 0, 0, 0, 0, 0, 0, 1, 0]);
        foreach (var piece in bytes.Chunk(cut)) tap.Feed(piece);
        Assert.Equal([7, 256], pongs);
    }

    private sealed class FixedRandom(double value) : Random
    {
        public override double NextDouble() => value;
    }
}
