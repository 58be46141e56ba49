using System.Text.Json.Nodes;
using ChannelBridge.Channels.InstaClaw.Connection;
using ChannelBridge.Channels.InstaClaw.Registration;
using ChannelBridge.Core.Net;
using ChannelBridge.Tests.Platform;

namespace ChannelBridge.Tests.Unit.InstaClaw;

/// <summary>A real connection to the simulated platform.</summary>
public sealed class DialTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Profile Someone = new() { AppKey = "k1", AppSecret = "s1", ClawId = "c1" };

    [Fact]
    public async Task Dial_CredentialsTravelAsHeaders_AndMessagesGoBothWaysBetweenPings()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        var pongs = System.Threading.Channels.Channel.CreateUnbounded<long>();
        var heard = 0;
        await using var socket = await new BrokerDialer(new WebSocketDialer(), 1 << 20).DialAsync(
            platform.WsUrl, Someone, () => Interlocked.Increment(ref heard), number => pongs.Writer.TryWrite(number), CancellationToken.None);
        var side = await platform.NextConnectionAsync();
        Assert.Equal(("k1", "s1", "c1"), (side.Headers["x-app-key"], side.Headers["x-app-secret"], side.Headers["x-claw-id"]));
        Assert.DoesNotContain("s1", platform.WsUrl.ToString(), StringComparison.Ordinal);

        // Pongs and messages are read by one loop, as in the channel.
        var received = System.Threading.Channels.Channel.CreateUnbounded<string>();
        var reading = Task.Run(async () =>
        {
            while (await socket.ReceiveAsync(CancellationToken.None) is { } message) received.Writer.TryWrite(System.Text.Encoding.UTF8.GetString(message.Span));
        });
        var text = new string('é', 70_000);
        for (var i = 0; i < 20; i++)
        {
            await Task.WhenAll(
                socket.PingAsync(i, CancellationToken.None).AsTask(),
                socket.SendAsync(new JsonObject { ["n"] = i, ["text"] = text }.ToJsonString().Select(c => (byte)c).ToArray(), CancellationToken.None).AsTask(),
                side.SendRawAsync($"message {i}"));
            Assert.Equal(i, (int)(await side.NextAsync())["n"]!);
            Assert.Equal(i, await pongs.Reader.ReadAsync().AsTask().WaitAsync(Patience));
            Assert.Equal($"message {i}", await received.Reader.ReadAsync().AsTask().WaitAsync(Patience));
        }

        Assert.True(heard > 0);
        side.Abort();
        Assert.IsNotType<TimeoutException>(await Assert.ThrowsAnyAsync<Exception>(() => reading.WaitAsync(Patience)));
    }

    [Fact]
    public async Task Dial_Refused_SaysTheStatusAndNoSecret()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        platform.Refuse = true;
        var fault = await Assert.ThrowsAsync<IOException>(
            () => new BrokerDialer(new WebSocketDialer(), 1 << 20).DialAsync(platform.WsUrl, Someone, () => { }, _ => { }, CancellationToken.None));
        Assert.Contains("503", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s1", fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Receive_Garbage_EndsThatConnectionOnly()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var socket = await new BrokerDialer(new WebSocketDialer(), 1 << 20).DialAsync(platform.WsUrl, Someone, () => { }, _ => { }, CancellationToken.None);
        var side = await platform.NextConnectionAsync();
        await side.SendGarbageAsync([.. Enumerable.Repeat((byte)0xFF, 64)]);
        Assert.IsNotType<TimeoutException>(
            await Assert.ThrowsAnyAsync<Exception>(async () => await socket.ReceiveAsync(CancellationToken.None).AsTask().WaitAsync(Patience)));
    }
}
