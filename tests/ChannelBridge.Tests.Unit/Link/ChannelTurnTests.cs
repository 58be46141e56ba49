using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using ChannelBridge.OpenClaw;
using ChannelBridge.Protocol.Buffers;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Link;

/// <summary>
/// Turns of channels that the gateway knows, of those that it doesn't, and of those whose answers go back to the channel.
/// </summary>
public sealed class ChannelTurnTests
{
    [Theory]
    [InlineData("agent:main:bncr:direct:61", "agent:main:bncr:direct:61")]
    [InlineData("cbirc:net:#room", "agent:work:cbirc:net:#room")]
    [InlineData("cbirc:Net", "agent:work:63626972633a4e6574")]
    [InlineData("cbirc:É", "agent:work:63626972633ac389")]
    public void SessionKey_OfALane_IsTheGatewaysAndTellsCaseApart(string lane, string session)
    {
        Assert.Equal(session, GatewaySession.KeyOf("work", lane));
        Assert.Equal(lane.StartsWith("agent:", StringComparison.Ordinal) ? "main" : "work", GatewaySession.AgentOf(session));
    }

    [Fact]
    public async Task Turn_OfAChannelThatTheGatewayDoesNotKnow_IsAnsweredInTheTurn()
    {
        await using var link = new LinkUnderTest();
        var plugin = await LinkedAsync(link, "bncr");
        var turn = LinkUnderTest.Turn();
        var running = link.RunAsync(turn);
        var sent = await plugin.CalledAsync("link.turn");
        Assert.Equal((true, true, $"turn:{turn.Id:D}"), ((bool)sent["collect"]!, (bool)sent["files"]!, (string)sent["replyTo"]!));
        Assert.Equal(("agent:work:lane-a", "work"), ((string)sent["sessionKey"]!, (string)sent["agentId"]!));
        await link.EventAsync(plugin, sent, "adopted");
        await link.EventAsync(plugin, sent, "reply", "here it is");
        await link.EventAsync(plugin, sent, "done");
        Assert.Equal([new AgentReply("here it is")], await running);
    }

    [Fact]
    public async Task Turn_OfAKnownChannelWithRules_SaysThem()
    {
        await using var link = new LinkUnderTest();
        var plugin = await LinkedAsync(link, "test");
        var turn = LinkUnderTest.Turn("/stop");
        turn = turn with { Message = turn.Message with { Door = Door.Channel, Rules = new TurnRules { Replies = ReplyWay.Channel, Commands = false } } };
        var running = link.RunAsync(turn);
        var sent = await plugin.CalledAsync("link.turn");
        Assert.Equal((true, false, "channel"), ((bool)sent["collect"]!, (bool)sent["commands"]!, (string)sent["door"]!));
        await link.EventAsync(plugin, sent, "adopted");
        await link.EventAsync(plugin, sent, "done");
        // Taken over and without a word: the agent had nothing to say.
        Assert.Empty(await running);
    }

    [Fact]
    public async Task Turn_TimeoutOfItsRules_GoesBeforeTheLinks()
    {
        var time = new ManualTime();
        await using var link = new LinkUnderTest(time: time);
        var plugin = await LinkedAsync(link, "test");
        var turn = LinkUnderTest.Turn();
        turn = turn with { Message = turn.Message with { Rules = new TurnRules { Timeout = TimeSpan.FromHours(12) } } };
        var running = link.RunAsync(turn);
        var sent = await plugin.CalledAsync("link.turn");
        time.Advance(TimeSpan.FromHours(11));
        Assert.False(running.IsCompleted);
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(ErrorCodes.Timeout, (await Assert.ThrowsAsync<BridgeException>(() => running)).Code);
        Assert.Equal((string?)sent["turnId"], (string?)(await plugin.CalledAsync("link.cancelTurn"))["turnId"]);
    }

    /// <summary>Guards against an answer that is lost with the gateway that was to bring it back in the turn.</summary>
    [Fact]
    public async Task Turn_ThatTheGatewayKnewBeforeItsRestart_WaitsForTheLateAnswer()
    {
        var store = new MemoryStore();
        await using var link = new LinkUnderTest(store);
        var plugin = await LinkedAsync(link, "bncr");
        var turn = LinkUnderTest.Turn();
        await AcceptAsync(store, turn);
        var running = link.RunAsync(turn);
        await link.EventAsync(plugin, await plugin.CalledAsync("link.turn"), "done");
        var notice = await link.CallAsync(plugin, "link.send", Late(turn, "direct-1", "I'm continuing your interrupted request now. Wait.", direct: true));
        Assert.Equal("", (string?)notice["messageId"]);
        Assert.False(running.IsCompleted);
        var sent = await link.CallAsync(plugin, "link.send", Late(turn, "d1", "the late answer"));
        Assert.Equal((turn.Id.ToString("D"), false), ((string)sent["messageId"]!, (bool)sent["duplicate"]!));
        Assert.Equal([new AgentReply("the late answer")], await running);
        var reconciled = await link.CallAsync(plugin, "link.reconcile", new JsonObject { ["deliveryId"] = "d1", ["to"] = $"turn:{turn.Id:D}", ["channel"] = "bncr" });
        Assert.Equal("sent", (string?)reconciled["status"]);
        Assert.True((bool)(await link.CallAsync(plugin, "link.send", Late(turn, "d1", "the late answer")))["duplicate"]!);
    }

    [Fact]
    public async Task LateAnswer_BeforeItsTurnRunsAgain_IsKeptForIt()
    {
        var store = new MemoryStore();
        var turn = LinkUnderTest.Turn();
        await AcceptAsync(store, turn);
        await using (var before = new LinkUnderTest(store))
        {
            await before.CallAsync(await LinkedAsync(before, "bncr"), "link.send", Late(turn, "d1", "the late answer"));
        }

        await using var link = new LinkUnderTest(store);
        var plugin = await LinkedAsync(link, "bncr");
        var running = link.RunAsync(turn);
        await link.EventAsync(plugin, await plugin.CalledAsync("link.turn"), "done");
        Assert.Equal([new AgentReply("the late answer")], await running);
    }

    [Fact]
    public async Task LateAnswer_ToATurnThatIsOver_IsRefusedForGood()
    {
        await using var link = new LinkUnderTest();
        var plugin = await LinkedAsync(link, "bncr");
        var fault = await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(plugin, "link.send", Late(LinkUnderTest.Turn(), "d1", "for nobody")));
        Assert.Equal((ErrorCodes.NotFound, false), (fault.Code, fault.Retryable));
    }

    private static async Task<FakePlugin> LinkedAsync(LinkUnderTest link, params string[] channels)
    {
        var plugin = new FakePlugin();
        var hello = LinkUnderTest.Hello();
        hello["channels"] = new JsonArray([.. channels.Select(channel => (JsonNode)channel)]);
        await link.CallAsync(plugin, "link.hello", hello);
        return plugin;
    }

    private static JsonObject Late(AgentTurn turn, string deliveryId, string text, bool direct = false) => new()
    {
        ["channel"] = "bncr",
        ["deliveryId"] = deliveryId,
        ["to"] = $"turn:{turn.Id:D}",
        ["text"] = text,
        ["direct"] = direct,
    };

    private static async Task AcceptAsync(MemoryStore store, AgentTurn turn)
    {
        using var payload = new PooledBuffer();
        MessageCodec.Write(turn.Message, payload);
        await store.CommitAsync(new InboxAppend
        {
            Lane = new LaneKey("test", "primary", turn.Message.SessionKey),
            Id = turn.Id,
            DedupeKey = 1,
            DedupeUntil = long.MaxValue,
            At = 1,
            Payload = payload.Written.ToArray(),
        });
    }
}
