using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Messaging;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Bncr;

/// <summary>The channel over the real inbox, lanes and outbox, with the echo agent and a store in memory.</summary>
public sealed class RoundTripTests
{
    [Fact]
    public async Task RoundTrip_MessageInReplyOutAck_IsSettled()
    {
        var (core, bncr) = await StartAsync();
        var client = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        var accepted = await bncr.InboundAsync(client, BncrUnderTest.Route + ""","msg":"hello","msgId":"m1" """);
        var (name, push) = await client.NextAsync();
        Assert.Equal("bncr.push", name);
        Assert.Equal((string?)accepted["sessionKey"], (string?)push["sessionKey"]);
        Assert.Equal(("m1", "echo: hello", "lab", "0", "u1", "final"), (
            (string?)push["replyToId"], (string?)push["message"]!["msg"], (string?)push["message"]!["platform"], (string?)push["message"]!["groupId"],
            (string?)push["message"]!["userId"], (string?)push["message"]!["kind"]));
        Assert.Equal(1, (long)push["seq"]!);
        Assert.Equal(new Backlog(1, 0), core.Outbox.GetBacklog("bncr", "Primary"));
        Assert.Equal("""{"ok":true}""", (await AckAsync(bncr, client, push)).ToJsonString());
        Assert.Equal(new Backlog(0, 0), core.Outbox.GetBacklog("bncr", "Primary"));
        Assert.Equal("already-acked-or-missing", (string?)(await AckAsync(bncr, client, push))["message"]);
    }

    [Fact]
    public async Task RoundTrip_Offline_WaitsAndComesInOrderOnReconnect()
    {
        var (core, bncr) = await StartAsync();
        var client = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        client.Close();
        var sender = bncr.Connect();
        for (var i = 0; i < 5; i++) await bncr.InboundAsync(sender, BncrUnderTest.Route + $""","msg":"{i}" """);
        // The sender is attached, as the account has no other client; when it is cut off, what it may not have read waits for the next.
        sender.Close(orderly: false);
        var back = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        for (var i = 0; i < 5; i++)
        {
            var push = (await back.NextAsync()).Payload;
            Assert.Equal(($"echo: {i}", i + 1), ((string?)push["message"]!["msg"], (int)push["seq"]!));
            await AckAsync(bncr, back, push);
        }

        Assert.Equal(new Backlog(0, 0), core.Outbox.GetBacklog("bncr", "Primary"));
    }

    [Fact]
    public async Task Takeover_Unacked_IsPushedToTheNewOneUnderTheSameKey()
    {
        var (_, bncr) = await StartAsync();
        var old = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        await bncr.InboundAsync(old, BncrUnderTest.Route + ""","msg":"hello" """);
        var first = (await old.NextAsync()).Payload;
        var next = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        Assert.Equal("bncr.lease.lost", (await old.NextAsync()).Name);
        var again = (await next.NextAsync()).Payload;
        Assert.Equal((string?)first["idempotencyKey"], (string?)again["idempotencyKey"]);
        Assert.Equal((string?)first["cursor"], (string?)again["cursor"]);
        await AckAsync(bncr, next, again);
        Assert.Equal("already-acked-or-missing", (string?)(await AckAsync(bncr, old, first))["message"]);
    }

    [Fact]
    public async Task Ack_Fatal_MakesADeadLetterThatInspectShows()
    {
        var (_, bncr) = await StartAsync();
        var client = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        await bncr.InboundAsync(client, BncrUnderTest.Route + ""","msg":"hello" """);
        var push = (await client.NextAsync()).Payload;
        var answer = await bncr.CallAsync(client, "bncr.ack", $""" "messageId":"{push["messageId"]}","ok":false,"fatal":true,"error":"no such user" """);
        Assert.Equal("""{"ok":true,"movedToDeadLetter":true}""", answer.ToJsonString());
        var entry = Assert.Single((await bncr.CallAsync(bncr.Operator(), "bncr.deadLetter.inspect"))["entries"]!.AsArray())!;
        Assert.Equal(((string?)push["messageId"], "fatal-ack", "echo: hello"), ((string?)entry["messageId"], (string?)entry["lastError"], (string?)entry["textPreview"]));
    }

    [Fact]
    public async Task Ack_NotOk_IsPushedAgainAfterItsTime()
    {
        var (core, bncr) = await StartAsync();
        var client = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        await bncr.InboundAsync(client, BncrUnderTest.Route + ""","msg":"hello" """);
        var push = (await client.NextAsync()).Payload;
        var answer = await bncr.CallAsync(client, "bncr.ack", $""" "messageId":"{push["messageId"]}","ok":false,"retryAfterMs":5000 """);
        Assert.Equal("""{"ok":true,"willRetry":true}""", answer.ToJsonString());
        core.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((string?)push["messageId"], (string?)(await client.NextAsync()).Payload["messageId"]);
    }

    [Fact]
    public async Task Restart_AcceptedButUnanswered_IsAnsweredAfterwards()
    {
        var (core, bncr) = await StartAsync();
        var client = await ConnectAsync(bncr, """ "clientId":"c","ack":true """);
        await bncr.InboundAsync(client, BncrUnderTest.Route + ""","msg":"one","msgId":"m1" """);
        await client.NextAsync();
        var (again, restarted) = await StartAsync(core.Store);
        var reconnected = await ConnectAsync(restarted, """ "clientId":"c","ack":true """);
        var push = (await reconnected.NextAsync()).Payload;
        Assert.Equal("echo: one", (string?)push["message"]!["msg"]);
        var duplicate = await restarted.InboundAsync(reconnected, BncrUnderTest.Route + ""","msg":"one","msgId":"m1" """);
        Assert.True((bool)duplicate["duplicated"]!);
        await AckAsync(restarted, reconnected, push);
        Assert.Equal(0, again.Outbox.GetBacklog("bncr", "Primary").Pending);
    }

    [Fact]
    public async Task NeverAckingClient_StillAlive_IsSettledAsPushed()
    {
        var (core, bncr) = await StartAsync();
        var client = await ConnectAsync(bncr, """ "clientId":"c" """);
        await bncr.InboundAsync(client, BncrUnderTest.Route + ""","msg":"one" """);
        var push = (await client.NextAsync()).Payload;
        var id = Guid.Parse((string)push["messageId"]!);
        await Wait.UntilAsync(async () =>
        {
            // Proof of life behind the push; the outbox looks when its own timer says so.
            core.Time.Advance(TimeSpan.FromSeconds(1));
            client.LastReceivedAt = core.Time.GetUtcNow();
            return (await core.Store.GetOutboxAsync(id))!.Settled;
        });
        Assert.Equal(DeliveryState.Pushed, (await core.Store.GetOutboxAsync(id))!.State);
    }


    private static async Task<(CoreUnderTest Core, BncrUnderTest Bncr)> StartAsync(MemoryStore? store = null)
    {
        var core = await new CoreUnderTest(store).StartAsync();
        var bncr = new BncrUnderTest(store: core.Store, time: core.Time, inbox: core.Inbox, outbox: core.Outbox);
        await bncr.Channel.StartAsync(CancellationToken.None);
        return (core, bncr);
    }

    private static async Task<FakeConnection> ConnectAsync(BncrUnderTest bncr, string members)
    {
        var connection = bncr.Connect();
        await bncr.CallAsync(connection, "bncr.connect", members);
        return connection;
    }

    private static Task<JsonNode> AckAsync(BncrUnderTest bncr, FakeConnection connection, JsonNode push) =>
        bncr.CallAsync(connection, "bncr.ack", $""" "messageId":"{push["messageId"]}" """);
}
