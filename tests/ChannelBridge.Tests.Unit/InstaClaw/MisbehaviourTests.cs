using System.Text.Json.Nodes;
using ChannelBridge.Channels.InstaClaw;

namespace ChannelBridge.Tests.Unit.InstaClaw;

/// <summary>A platform that misbehaves: never pongs, refuses, hangs, is slow, sends huge or broken frames.</summary>
public sealed class MisbehaviourTests
{
    [Fact]
    public async Task NeverPongs_TheConnectionIsGivenUpAndMadeAnew_AndTheAnswerComesAgainUnderItsNumbers()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(100));
        lab.Platform.Pong = false;
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "hello");
        var first = await side.EventsAsync("m1");
        await side.Ended.WaitAsync(ChannelLab.Patience);
        Assert.True(side.Pings >= 3);
        // Nothing proved that the answer had arrived, so it comes again, as it was.
        side = await lab.ConnectedAsync();
        Assert.Equal(first.Select(one => one.ToJsonString()), (await side.EventsAsync("m1")).Select(one => one.ToJsonString()));
        lab.Platform.Pong = true;
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 0);
        Assert.Single(lab.Runs.Started);
    }

    [Fact]
    public async Task MessagePings_AreAnsweredByMessages_AndProveTheSame()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.Ping = PingKind.Message);
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "hello");
        await side.EventsAsync("m1");
        JsonObject ping;
        do ping = await side.NextAsync();
        while ((string)ping["type"]! != "PING");
        await side.SendRawAsync(new JsonObject { ["type"] = "PONG", ["headers"] = new JsonObject { ["message-id"] = (string)ping["headers"]!["message-id"]! } }.ToJsonString());
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 0);
        Assert.Equal(0, side.Pings);
    }

    [Fact]
    public async Task RefusesAndHangs_TheChannelKeepsTrying()
    {
        await using var lab = await ChannelLab.StartAsync(
            options => options.ConnectTimeout = TimeSpan.FromSeconds(1), registered: false);
        lab.Platform.Refuse = true;
        lab.WriteProfile("key-0", "secret-0");
        await lab.UntilAsync(diagnostics => ((string?)diagnostics["lastError"])?.Contains("503", StringComparison.Ordinal) == true);
        (lab.Platform.Refuse, lab.Platform.Hang) = (false, true);
        await lab.UntilAsync(diagnostics => ((string?)diagnostics["lastError"])?.Contains("no connection within", StringComparison.Ordinal) == true);
        Assert.Equal("reconnecting", (string)(await lab.DiagnosticsAsync())["state"]!);
        lab.Platform.Hang = false;
        await lab.ConnectedAsync();
        await lab.UntilAsync(diagnostics => (string)diagnostics["state"]! == "connected" && diagnostics["lastError"] is null);
    }

    [Fact]
    public async Task Slow_ALongAnswerArrivesWhole()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(200));
        lab.Platform.ReadDelay = TimeSpan.FromMilliseconds(1);
        var text = string.Concat(Enumerable.Repeat("دەنگ 👩‍👩‍👧‍👦 é ", 2000));
        lab.Runs.Script = run =>
        {
            run.Say(text);
            return Task.CompletedTask;
        };
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "a lot");
        Assert.Equal(text, string.Concat((await side.EventsAsync("m1")).Select(one => (string?)one["delta"])));
    }

    [Fact]
    public async Task HugeAndBrokenFrames_CostTheConnectionOnly()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.MaxMessageBytes = 4096);
        var side = await lab.ConnectedAsync();
        await side.SendRawAsync("\"" + new string('x', 10_000) + "\"");
        await side.Ended.WaitAsync(ChannelLab.Patience);
        side = await lab.ConnectedAsync();
        await side.SendGarbageAsync([.. Enumerable.Repeat((byte)0xFF, 64)]);
        await side.Ended.WaitAsync(ChannelLab.Patience);
        side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "hello");
        Assert.Equal("response.completed", (string)(await side.EventsAsync("m1"))[^1]["type"]!);
    }
}
