using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;

namespace ChannelBridge.Tests.Unit.Client;

public sealed class BncrBridgeClientTests
{
    private readonly ScriptedHost _host = new();

    private BncrBridgeClient Make(Action<BncrBridgeOptions>? configure = null)
    {
        var options = new BncrBridgeOptions
        {
            BridgeId = "the-bridge",
            MaxResendDelay = TimeSpan.FromMilliseconds(2),
            Connection = { ReconnectDelay = TimeSpan.FromMilliseconds(1), MaxReconnectDelay = TimeSpan.FromMilliseconds(2) },
        };
        configure?.Invoke(options);
        return new BncrBridgeClient(options, _host.Connect, null, new Random(3), null);
    }

    private static string Push(string id, string text, string session = "s") =>
        $$"""{"type":"message.outbound","messageId":"{{id}}","idempotencyKey":"{{id}}","sessionKey":"{{session}}","seq":1,"ts":5,"message":{"platform":"lab","groupId":"0","userId":"u","type":"text","kind":"final","msg":"{{text}}","path":"","base64":"","fileName":""} }""";

    [Fact]
    public async Task StartAsync_OnEveryConnection_ConnectsTheAccountAndDeclaresAcks()
    {
        await using var bridge = Make(options => options.AccountId = "Shop");
        var starting = bridge.StartAsync();
        var connection = await _host.LetInAsync();
        var connect = await connection.ReadRequestAsync("bncr.connect");
        Assert.False(starting.IsCompleted);
        Assert.Equal("Shop", (string?)connect["params"]!["accountId"]);
        Assert.Equal("the-bridge", (string?)connect["params"]!["clientId"]);
        Assert.True((bool)connect["params"]!["ack"]!);
        connection.Answer(connect, """{"accountId":"Shop","pushEvent":"bncr.push","isPrimary":true,"pending":3,"deadLetter":1,"leaseId":"l","more":{}}""");
        await starting.WaitAsync(ScriptedHost.Timeout);
        Assert.Equal(3, bridge.Account!.Pending);
        connection.Close();
        await (await _host.LetInAsync()).ReadRequestAsync("bncr.connect");
    }

    [Fact]
    public async Task SendAsync_ConnectionLostBeforeTheAnswer_SendsTheSameIdAgain()
    {
        await using var bridge = Make();
        _ = bridge.StartAsync();
        var connection = await _host.LetBridgeInAsync();
        await bridge.StartAsync().WaitAsync(ScriptedHost.Timeout);
        var sending = bridge.SendAsync(new BncrInbound { Platform = "lab", UserId = "u", Msg = "hello" });
        var first = await connection.ReadRequestAsync("bncr.inbound");
        Assert.Equal("the-bridge", (string?)first["params"]!["clientId"]);
        connection.Close();
        var again = await _host.LetBridgeInAsync();
        var second = await again.ReadRequestAsync("bncr.inbound");
        Assert.Equal((string?)first["params"]!["msgId"], (string?)second["params"]!["msgId"]);
        Assert.Equal(32, ((string?)second["params"]!["msgId"])!.Length);
        again.Answer(second, """{"accepted":true,"duplicated":true,"sessionKey":"k"}""");
        var result = await sending.WaitAsync(ScriptedHost.Timeout);
        Assert.True(result.Accepted);
        Assert.True(result.Duplicated);
        Assert.Equal((string?)first["params"]!["msgId"], result.MsgId);
    }

    [Fact]
    public async Task SendAsync_Busy_TriesAgainAndRefusedForGood_Throws()
    {
        await using var bridge = Make();
        _ = bridge.StartAsync();
        var connection = await _host.LetBridgeInAsync();
        await bridge.StartAsync().WaitAsync(ScriptedHost.Timeout);
        var sending = bridge.SendAsync(new BncrInbound { Platform = "lab", UserId = "u", Msg = "x", MsgId = "m1" });
        connection.Refuse(await connection.ReadRequestAsync("bncr.inbound"), """{"code":"BUSY","message":"full","retryable":true,"retryAfterMs":1}""");
        var second = await connection.ReadRequestAsync("bncr.inbound");
        Assert.Equal("m1", (string?)second["params"]!["msgId"]);
        connection.Refuse(second, """{"code":"INVALID_REQUEST","message":"platform is wrong"}""");
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => sending.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal("INVALID_REQUEST", fault.Code);
    }

    [Fact]
    public async Task ReadPushesAsync_SamePushTwice_IsShownOnceAndAckedAgainWhenDone()
    {
        await using var bridge = Make();
        _ = bridge.StartAsync();
        var connection = await _host.LetBridgeInAsync();
        await bridge.StartAsync().WaitAsync(ScriptedHost.Timeout);
        connection.Raise("bncr.push", Push("p1", "one"));
        connection.Raise("bncr.push", Push("p1", "one"));
        connection.Raise("bncr.push", """{"not":"a push"}""");
        connection.Raise("plugin.bncr.push", Push("p2", "two"));

        await using var pushes = bridge.ReadPushesAsync().GetAsyncEnumerator();
        Assert.True(await pushes.MoveNextAsync().AsTask().WaitAsync(ScriptedHost.Timeout));
        Assert.Equal("one", pushes.Current.Message.Msg);
        var acking = bridge.AckAsync(pushes.Current);
        var ack = await connection.ReadRequestAsync("bncr.ack");
        Assert.Equal("p1", (string?)ack["params"]!["messageId"]);
        Assert.True((bool)ack["params"]!["ok"]!);

        // The ack is lost with the connection; the host pushes p1 again, and p2, which was never read.
        connection.Close();
        await acking.WaitAsync(ScriptedHost.Timeout);
        var again = await _host.LetBridgeInAsync();
        again.Raise("bncr.push", Push("p1", "one"));
        again.Raise("bncr.push", Push("p2", "two"));
        var next = pushes.MoveNextAsync().AsTask();
        var repeated = await again.ReadRequestAsync("bncr.ack");
        Assert.Equal("p1", (string?)repeated["params"]!["messageId"]);
        again.Answer(repeated, """{"ok":true}""");
        Assert.True(await next.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal("two", pushes.Current.Message.Msg);
    }

    [Fact]
    public async Task RejectAsync_NotFatal_ShowsThePushWhenItComesAgain()
    {
        await using var bridge = Make();
        _ = bridge.StartAsync();
        var connection = await _host.LetBridgeInAsync();
        await bridge.StartAsync().WaitAsync(ScriptedHost.Timeout);
        connection.Raise("bncr.push", Push("p1", "one"));
        await using var pushes = bridge.ReadPushesAsync().GetAsyncEnumerator();
        Assert.True(await pushes.MoveNextAsync().AsTask().WaitAsync(ScriptedHost.Timeout));
        var rejecting = bridge.RejectAsync(pushes.Current, "platform is down", fatal: false);
        var ack = await connection.ReadRequestAsync("bncr.ack");
        Assert.False((bool)ack["params"]!["ok"]!);
        Assert.Equal("platform is down", (string?)ack["params"]!["error"]);
        Assert.Null(ack["params"]!["fatal"]);
        connection.Answer(ack, """{"ok":true,"willRetry":true}""");
        await rejecting.WaitAsync(ScriptedHost.Timeout);
        connection.Raise("bncr.push", Push("p1", "one"));
        Assert.True(await pushes.MoveNextAsync().AsTask().WaitAsync(ScriptedHost.Timeout));
        Assert.Equal("p1", pushes.Current.MessageId);
    }

    [Fact]
    public async Task RunAsync_HandlerFails_RejectsItAndGoesOnInOrder()
    {
        await using var bridge = Make();
        _ = bridge.StartAsync();
        var connection = await _host.LetBridgeInAsync();
        await bridge.StartAsync().WaitAsync(ScriptedHost.Timeout);
        using var stop = new CancellationTokenSource();
        var order = new List<string>();
        var running = bridge.RunAsync(
            async (push, _) =>
            {
                await Task.Yield();
                order.Add(push.MessageId);
                if (push.MessageId == "p1") throw new InvalidOperationException("no route");
            },
            stop.Token);
        connection.Raise("bncr.push", Push("p1", "one"));
        connection.Raise("bncr.push", Push("p2", "two"));
        var rejected = await connection.ReadRequestAsync("bncr.ack");
        Assert.Equal(("p1", false), ((string?)rejected["params"]!["messageId"], (bool)rejected["params"]!["ok"]!));
        connection.Answer(rejected, """{"ok":true}""");
        var acked = await connection.ReadRequestAsync("bncr.ack");
        Assert.Equal(("p2", true), ((string?)acked["params"]!["messageId"], (bool)acked["params"]!["ok"]!));
        connection.Answer(acked, """{"ok":true}""");
        Assert.Equal(["p1", "p2"], order);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(ScriptedHost.Timeout));
    }

    [Fact]
    public async Task Heartbeat_EveryInterval_TellsThatTheBridgeIsAlive()
    {
        var time = new Support.ManualTime();
        await using var bridge = new BncrBridgeClient(new BncrBridgeOptions(), _host.Connect, time, new Random(1), null);
        _ = bridge.StartAsync();
        var connection = await _host.LetBridgeInAsync();
        await bridge.StartAsync().WaitAsync(ScriptedHost.Timeout);
        time.Advance(TimeSpan.FromSeconds(30));
        connection.Answer(await connection.ReadRequestAsync("bncr.activity"), "{}");
    }

    [Fact]
    public void SeenPushes_BeyondItsCapacity_ForgetsTheOldestOnly()
    {
        var seen = new SeenPushes(2);
        Assert.Equal(SeenPushes.Sight.New, seen.See("a"));
        Assert.Equal(SeenPushes.Sight.New, seen.See("b"));
        seen.Finish("b");
        Assert.Equal(SeenPushes.Sight.New, seen.See("c"));
        Assert.Equal(SeenPushes.Sight.Done, seen.See("b"));
        Assert.Equal(SeenPushes.Sight.Shown, seen.See("c"));
        Assert.Equal(SeenPushes.Sight.New, seen.See("a"));
    }

    [Fact]
    public void Options_Problems_NameEachKey()
    {
        var fault = Assert.Throws<ArgumentException>(() => new BncrBridgeClient(new BncrBridgeOptions
        {
            AccountId = " ",
            Heartbeat = TimeSpan.FromMinutes(5),
            Connection = { Endpoint = "nowhere" },
        }));
        foreach (var name in new[] { "AccountId", "Heartbeat", "Connection.Endpoint" }) Assert.Contains(name + ":", fault.Message, StringComparison.Ordinal);
    }
}
