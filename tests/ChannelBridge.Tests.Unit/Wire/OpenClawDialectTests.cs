using System.Text.Json.Nodes;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Wire;

public sealed class OpenClawDialectTests
{
    [Theory]
    [InlineData("/")]
    [InlineData("/ws")]
    public async Task Connect_GoodToken_HelloSaysTheTruth(string path)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync(path: path);

        var hello = client.Hello!;
        Assert.Equal("hello-ok", (string?)hello["type"]);
        Assert.Equal(4, (int)hello["protocol"]!);
        Assert.Equal("9.9.9", (string?)hello["server"]!["version"]);
        Assert.StartsWith("c_", (string?)hello["server"]!["connId"], StringComparison.Ordinal);
        Assert.NotEmpty((string)hello["server"]!["bootId"]!);
        Assert.Equal(26_214_400, (int)hello["policy"]!["maxPayload"]!);
        Assert.Equal(52_428_800, (int)hello["policy"]!["maxBufferedBytes"]!);
        Assert.Equal(30_000, (int)hello["policy"]!["tickIntervalMs"]!);
        Assert.Equal(["operator.read", "operator.write", "operator.admin"], Names(hello["auth"]!["scopes"]!));
        Assert.Equal("operator", (string?)hello["auth"]!["role"]);
        Assert.Contains("test.admin", Names(hello["features"]!["methods"]!));
        Assert.Contains("test.event", Names(hello["features"]!["events"]!));
        Assert.Contains("tick", Names(hello["features"]!["events"]!));
        Assert.Empty(hello["snapshot"]!.AsObject());
    }

    [Fact]
    public async Task Connect_NarrowScopes_OnlyTheseAreGrantedAndListed()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync(WireHost.Token, "/", "operator.read", "operator.approvals");

        Assert.Equal(["operator.read"], Names(client.Hello!["auth"]!["scopes"]!));
        Assert.DoesNotContain("test.write", Names(client.Hello["features"]!["methods"]!));
        var refused = await client.CallAsync("1", "test.write", """{"text":"x"}""");
        Assert.False((bool)refused["ok"]!);
        Assert.Equal("FORBIDDEN", (string?)refused["error"]!["code"]);
        Assert.Equal("missing scope: operator.write", (string?)refused["error"]!["message"]);
        Assert.True((bool)(await client.CallAsync("2", "test.echo", """{"text":"x"}"""))["ok"]!);
    }

    [Fact]
    public async Task Connect_WiderScopesThanTheToken_OnlyTheTokensAreGranted()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync(WireHost.ReadToken, "/", "operator.read", "operator.write", "operator.admin");

        Assert.Equal(["operator.read"], Names(client.Hello!["auth"]!["scopes"]!));
    }

    [Theory]
    [InlineData("wrong-token-0123456789", "AUTH_TOKEN_MISMATCH", "unauthorized: gateway token mismatch")]
    [InlineData(null, "AUTH_TOKEN_MISSING", "unauthorized: gateway token missing")]
    [InlineData("", "AUTH_TOKEN_MISSING", "unauthorized: gateway token missing")]
    public async Task Connect_BadToken_SaysWhyAndCloses(string? token, string code, string message)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = new WireClient(await host.OpenAsync("/"));
        await client.ReceiveAsync();
        await client.SendAsync(WireClient.Connect(token).ToJsonString());

        var answer = await client.ReceiveAsync();
        Assert.Equal("connect", (string?)answer["id"]);
        Assert.False((bool)answer["ok"]!);
        Assert.Equal("INVALID_REQUEST", (string?)answer["error"]!["code"]);
        Assert.Equal(code, (string?)answer["error"]!["details"]!["code"]);
        Assert.StartsWith(message, (string?)answer["error"]!["message"], StringComparison.Ordinal);
        Assert.StartsWith("1008 unauthorized", await client.ReceiveCloseAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_OldProtocolOnly_Mismatch()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = new WireClient(await host.OpenAsync("/"));
        await client.ReceiveAsync();
        var connect = WireClient.Connect(WireHost.Token);
        connect["params"]!["maxProtocol"] = 3;
        await client.SendAsync(connect.ToJsonString());

        var answer = await client.ReceiveAsync();
        Assert.Equal("PROTOCOL_MISMATCH", (string?)answer["error"]!["details"]!["code"]);
        Assert.Equal(4, (int)answer["error"]!["details"]!["expectedProtocol"]!);
        Assert.StartsWith("1002", await client.ReceiveCloseAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task FirstRequest_NotConnect_RefusedAndClosed()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = new WireClient(await host.OpenAsync("/"));
        await client.ReceiveAsync();
        await client.RequestAsync("7", "test.echo");

        var answer = await client.ReceiveAsync();
        Assert.Equal("7", (string?)answer["id"]);
        Assert.Equal("invalid handshake: first request must be connect", (string?)answer["error"]!["message"]);
        Assert.StartsWith("1008", await client.ReceiveCloseAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Errors_AllKinds_HaveCodeAndWhatBelongsToIt()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();

        var busy = (await client.CallAsync("1", "test.fail", """{"code":"busy","later":true}"""))["error"]!;
        Assert.Equal("BUSY", (string?)busy["code"]);
        Assert.True((bool)busy["retryable"]!);
        Assert.Equal(1500, (int)busy["retryAfterMs"]!);

        var details = (await client.CallAsync("2", "test.fail", """{"code":"details"}"""))["error"]!;
        Assert.Equal("because", (string?)details["details"]!["why"]);
        Assert.Null(details["retryable"]);

        var legacy = await client.CallAsync("3", "test.legacy", """{"code":"legacy"}""");
        Assert.Equal("the new words", (string?)legacy["error"]!["message"]);
        Assert.Equal("the old words", (string?)legacy["payload"]!["error"]);
        Assert.Equal("as you wish", (string?)(await client.CallAsync("4", "test.legacy", """{"code":"CONFLICT"}"""))["payload"]!["error"]);
        Assert.Null((await client.CallAsync("5", "test.fail", """{"code":"legacy"}"""))["payload"]);

        var crash = (await client.CallAsync("6", "test.fail", """{"code":"crash"}"""))["error"]!;
        Assert.Equal("INTERNAL", (string?)crash["code"]);
        Assert.DoesNotContain("secret", crash.ToJsonString(), StringComparison.Ordinal);

        var unknown = (await client.CallAsync("7", "no.such"))["error"]!;
        Assert.Equal("INVALID_REQUEST", (string?)unknown["code"]);
        Assert.Equal("unknown method: no.such", (string?)unknown["message"]);

        var again = (await client.CallAsync("8", "connect"))["error"]!;
        Assert.Equal("connect is only valid as the first request", (string?)again["message"]);
    }

    [Fact]
    public async Task Push_Events_AreNumberedInOrder()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await client.RequestAsync("p", "test.push", """{"count":5,"size":10}""");

        for (var seq = 1; seq <= 5; seq++)
        {
            var frame = await client.ReceiveAsync();
            Assert.Equal("test.event", (string?)frame["event"]);
            Assert.Equal(seq, (int)frame["seq"]!);
        }

        Assert.Equal("Flushed:5", (string?)(await client.ReceiveAsync())["payload"]!["text"]);
    }

    /// <summary>Guards against pushes that overtake the answer to bncr.connect: a client that drops what comes before it waits for the ack timeout.</summary>
    [Theory]
    [InlineData("none", false)]
    [InlineData("none", true)]
    [InlineData("CONFLICT", false)]
    [InlineData("CONFLICT", true)]
    public async Task Method_ThatActsAfterItsAnswer_IsAnsweredFirst(string code, bool later)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        for (var round = 0; round < 20; round++)
        {
            await client.RequestAsync($"a{round}", "test.after", $$"""{"code":"{{code}}","later":{{(later ? "true" : "false")}}}""");
            var answer = await client.ReceiveAsync();
            Assert.Equal(("res", code == "none"), ((string?)answer["type"], (bool?)answer["ok"]));
            Assert.Equal("test.event", (string?)(await client.ReceiveAsync())["event"]);
        }
    }

    [Fact]
    public async Task Tick_AfterItsInterval_Comes()
    {
        var time = new ManualTime();
        await using var host = await WireHost.StartAsync(limits => limits.KeepAliveInterval = Timeout.InfiniteTimeSpan, time: time);
        await using var client = await host.ConnectAsync();

        var receiving = client.ReceiveAsync();
        while (!receiving.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(receiving, Task.Delay(5));
        }

        var tick = await receiving;
        Assert.Equal("tick", (string?)tick["event"]);
        Assert.Equal(1, (int)tick["seq"]!);
        Assert.True((long)tick["payload"]!["ts"]! > 0);
    }

    [Fact]
    public async Task Trace_OfTheFrame_ReachesTheMethod()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await client.SendAsync(
            """{"type":"req","id":"t","method":"test.echo","params":{"text":"x"},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","expectedProfileId":"p"}""");

        Assert.True((bool)(await client.ReceiveAsync())["ok"]!);
        Assert.Equal("0af7651916cd43dd8448eb211c80319c", Assert.Single(host.Methods.Traces).TraceId.ToString());
    }

    private static string[] Names(JsonNode array) => [.. array.AsArray().Select(item => (string)item!)];
}
