using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Protocol.Buffers;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Link;

public sealed class LinkTests
{
    [Theory]
    [InlineData("wrong", 1, ErrorCodes.Unauthorized)]
    [InlineData("", 1, ErrorCodes.Unauthorized)]
    [InlineData(LinkUnderTest.Token, 2, ErrorCodes.InvalidRequest)]
    [InlineData(LinkUnderTest.Token, 0, ErrorCodes.InvalidRequest)]
    public async Task Hello_BadTokenOrProtocol_IsRefusedAndIsNoLink(string token, int protocol, string code)
    {
        await using var link = new LinkUnderTest();
        var plugin = new FakePlugin();
        var fault = await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(plugin, "link.hello", LinkUnderTest.Hello(token: token, protocol: protocol)));
        Assert.Equal(code, fault.Code);
        Assert.Null(link.Session.Current);
        Assert.False(plugin.Caller.Scopes.HasFlag(Scopes.Link));
        await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(plugin, "link.status", []));
    }

    /// <summary>On the listener a guess at the token must be counted, which auth.authenticate does and link.hello doesn't.</summary>
    [Fact]
    public async Task Hello_OverTheListener_NeedsAuthenticationFirst()
    {
        await using var link = new LinkUnderTest();
        var stranger = new FakePlugin();
        stranger.SetCaller(new Caller("anonymous", Scopes.None, Door.Listener));
        var fault = await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(stranger, "link.hello", LinkUnderTest.Hello()));
        Assert.Equal(ErrorCodes.Unauthorized, fault.Code);
        Assert.Null(link.Session.Current);

        stranger.SetCaller(new Caller("first", Scopes.All, Door.Listener));
        await link.CallAsync(stranger, "link.hello", LinkUnderTest.Hello());
        Assert.NotNull(link.Session.Current);
    }

    [Fact]
    public async Task Hello_GoodToken_TellsTheAccountsOfTheGateway()
    {
        await using var link = new LinkUnderTest();
        Assert.Equal("main", link.Admission.GetAgentId("test", "Primary"));
        var plugin = await link.LinkedAsync();
        var primary = link.Admission.GetAccount("test", "PRIMARY");
        Assert.Equal(("work", true, true), (primary.AgentId, primary.Enabled, primary.RequireAck));
        var shop = link.Admission.GetAccount("test", "shop");
        Assert.Equal((false, null), (shop.Enabled, shop.RequireAck));

        var changed = new JsonObject { ["accounts"] = new JsonArray(new JsonObject { ["channel"] = "test", ["accountId"] = "Shop", ["outboundRequireAck"] = false }) };
        await link.CallAsync(plugin, "link.accounts", changed);
        shop = link.Admission.GetAccount("test", "shop");
        Assert.Equal((true, false), (shop.Enabled, shop.RequireAck));
    }

    [Fact]
    public async Task Hello_OfAnotherGateway_ReplacesTheLinkAndTellsTheOldOne()
    {
        await using var link = new LinkUnderTest();
        var old = await link.LinkedAsync("old");
        await link.CallAsync(old, "link.request", Say("conn-1"));
        var connection = link.Channel.Requests.First().Connection;
        await link.LinkedAsync("new");

        Assert.True(connection.Closed.IsCancellationRequested);
        Assert.Contains(old.Calls, call => call.Method == "link.replaced");
        var fault = await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(old, "link.request", Say("conn-1")));
        Assert.Equal(ErrorCodes.Conflict, fault.Code);
        old.Close();
        Assert.Equal("new", link.Session.Current!.Hello.InstanceId);
    }

    [Fact]
    public async Task Request_Forwarded_HasTheCallersConnectionAndScopes()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var answer = await link.CallAsync(plugin, "link.request", Say("conn-1"));
        await link.CallAsync(plugin, "link.request", Say("conn-1"));
        await link.CallAsync(plugin, "link.request", Say("conn-2"));

        Assert.Equal("hello", (string?)answer["text"]);
        var connections = link.Channel.Requests.Select(request => request.Connection).ToArray();
        Assert.Same(connections[0], connections[1]);
        Assert.Equal(["conn-1", "conn-1", "conn-2"], connections.Select(connection => connection.Id));
        Assert.Equal(Door.Gateway, connections[0].Caller.Door);
        Assert.False(connections[0].Caller.Scopes.HasFlag(Scopes.Link));
    }

    [Fact]
    public async Task Request_WithoutTheScope_IsForbidden()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var fault = await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(plugin, "link.request", Say("conn-1", scopes: "operator.read")));
        Assert.Equal(ErrorCodes.Forbidden, fault.Code);
        Assert.Empty(link.Channel.Requests);
        // The link's own role can't be claimed for a client.
        fault = await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(plugin, "link.request", Say("conn-2", scopes: "link")));
        Assert.Equal(ErrorCodes.Forbidden, fault.Code);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"method":"test.say"}""")]
    [InlineData("""{"method":7,"connId":"c"}""")]
    [InlineData("""{"method":"test.say","connId":"c","params":[1],"scopes":[]}""")]
    [InlineData("""{"method":"test.say","connId":"c","params":{},"scopes":"operator.write"}""")]
    [InlineData("""{"method":"link.send","connId":"c","params":{},"scopes":["operator.admin"]}""")]
    [InlineData("""{"method":"nothing.known","connId":"c","params":{},"scopes":["operator.admin"]}""")]
    public async Task Request_Malformed_IsInvalid(string parameters)
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var fault = await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(plugin, "link.request", JsonNode.Parse(parameters)!.AsObject()));
        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
    }

    [Fact]
    public async Task Disconnected_OneConnection_ClosesThatOneOnly()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        await link.CallAsync(plugin, "link.request", Say("conn-1"));
        await link.CallAsync(plugin, "link.request", Say("conn-2"));
        var connections = link.Channel.Requests.Select(request => request.Connection).ToArray();
        await link.CallAsync(plugin, "link.disconnected", new JsonObject { ["connId"] = "conn-1" });

        Assert.True(connections[0].Closed.IsCancellationRequested);
        Assert.False(connections[1].Closed.IsCancellationRequested);
        Assert.Equal(PushOutcome.Gone, await connections[0].PushAsync("e", "{}"u8.ToArray()));
    }

    [Fact]
    public async Task Push_ToAConnection_GoesOutWithItsIdAndTellsWhatBecameOfIt()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        await link.CallAsync(plugin, "link.request", Say("conn-1"));
        var connection = link.Channel.Requests.First().Connection;

        Assert.Equal(PushOutcome.Flushed, await connection.PushAsync("plugin.test.push", """{"text":"grüße"}"""u8.ToArray()));
        var push = await plugin.CalledAsync("link.push");
        Assert.Equal(("conn-1", "plugin.test.push", "grüße"), ((string?)push["connId"], (string?)push["event"], (string?)push["payload"]!["text"]));
        plugin.Answers["link.push"] = _ => Task.FromResult(new JsonObject { ["delivered"] = false, ["reason"] = "gone" });
        Assert.Equal(PushOutcome.Gone, await connection.PushAsync("plugin.test.push", "{}"u8.ToArray()));
        plugin.Close();
        Assert.True(connection.Closed.IsCancellationRequested);
        Assert.Equal(PushOutcome.Gone, await connection.PushAsync("plugin.test.push", "{}"u8.ToArray()));
    }

    [Fact]
    public async Task Turn_Done_GivesPartialsAndEnds()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var turn = LinkUnderTest.Turn();
        var running = link.RunAsync(turn);
        var sent = await plugin.CalledAsync("link.turn");
        await link.EventAsync(plugin, sent, "typing");
        await link.EventAsync(plugin, sent, "partial", "an");
        await link.EventAsync(plugin, sent, "partial", "swer");
        await link.EventAsync(plugin, sent, "done");
        var events = await running;

        Assert.Equal(turn.Id.ToString("D"), (string?)sent["messageId"]);
        Assert.Equal("t:route-a", (string?)sent["replyTo"]);
        Assert.Equal("gateway", (string?)sent["door"]);
        Assert.Equal("answer", string.Concat(events.OfType<AgentPartial>().Select(partial => partial.Suffix)));
        Assert.DoesNotContain(events, agentEvent => agentEvent is AgentReply);
    }

    [Fact]
    public async Task Turn_Failed_IsTheGatewaysError()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var running = link.RunAsync(LinkUnderTest.Turn());
        var sent = await plugin.CalledAsync("link.turn");
        await link.CallAsync(plugin, "link.turnEvent", new JsonObject
        {
            ["turnId"] = (string?)sent["turnId"],
            ["kind"] = "failed",
            ["code"] = "INTERNAL",
            ["message"] = "it broke",
            ["retryable"] = true,
        });
        var fault = await Assert.ThrowsAsync<BridgeException>(() => running);
        Assert.Equal(("INTERNAL", true), (fault.Code, fault.Retryable));
    }

    [Fact]
    public async Task Turn_LinkLost_IsUnavailableAndWaitsForTheNextLink()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var running = link.RunAsync(LinkUnderTest.Turn());
        await plugin.CalledAsync("link.turn");
        plugin.Close();

        var fault = await Assert.ThrowsAsync<BridgeException>(() => running);
        Assert.Equal((ErrorCodes.Unavailable, true), (fault.Code, fault.Retryable));
        var waiting = link.Agent.WaitUntilAvailableAsync(CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<BridgeException>(() => link.RunAsync(LinkUnderTest.Turn()))).Code);
        await link.LinkedAsync();
        await waiting.WaitAsync(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Turn_TooLong_IsCancelledAtTheGatewayAndGivenUp()
    {
        var time = new ManualTime();
        await using var link = new LinkUnderTest(configure: options => options.TurnTimeout = TimeSpan.FromMinutes(9), time: time);
        var plugin = await link.LinkedAsync();
        var running = link.RunAsync(LinkUnderTest.Turn());
        var sent = await plugin.CalledAsync("link.turn");
        time.Advance(TimeSpan.FromMinutes(9));

        var fault = await Assert.ThrowsAsync<BridgeException>(() => running);
        Assert.Equal((ErrorCodes.Timeout, false), (fault.Code, fault.Retryable));
        Assert.Equal((string?)sent["turnId"], (string?)(await plugin.CalledAsync("link.cancelTurn"))["turnId"]);
    }

    [Fact]
    public async Task Turn_HostStops_IsNotCancelledAtTheGateway()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        using var stop = new CancellationTokenSource();
        var running = link.RunAsync(LinkUnderTest.Turn(), stop.Token);
        await plugin.CalledAsync("link.turn");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.DoesNotContain(plugin.Calls, call => call.Method == "link.cancelTurn");
    }

    [Fact]
    public async Task Send_ReplyOfATurn_GoesIntoItsLaneWithTheBridgesMessageId()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var turn = LinkUnderTest.Turn(sessionKey: "lane-a:task:x");
        var running = link.RunAsync(turn);
        var sent = await plugin.CalledAsync("link.turn");
        var answer = await link.CallAsync(plugin, "link.send", Send("d1", "the answer", turn.Id.ToString("D")));
        await link.EventAsync(plugin, sent, "done");
        await running;

        var message = await StoredAsync(link, answer);
        Assert.Equal("lane-a:task:x", (string?)answer["sessionKey"]);
        Assert.Equal(("the answer", "bridge-1", "final"), (message.Text, message.ReplyToId, message.Kind));
        // It was answered: nothing has to be remembered for a late reply.
        Assert.Empty(await link.Store.ListRecordsAsync("link.turn", null, null, 10));
    }

    [Fact]
    public async Task Send_SameDeliveryAndPart_IsStoredOnceAndReconciled()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        Assert.Equal("not_sent", (string?)(await ReconcileAsync("d1", 0))["status"]);
        var first = await link.CallAsync(plugin, "link.send", Send("d1", "once"));
        var second = await link.CallAsync(plugin, "link.send", Send("d1", "once"));
        var other = await link.CallAsync(plugin, "link.send", Send("d1", "part two", part: 1));

        Assert.Equal((string?)first["messageId"], (string?)second["messageId"]);
        Assert.Equal((false, true, false), ((bool)first["duplicate"]!, (bool)second["duplicate"]!, (bool)other["duplicate"]!));
        Assert.Equal(2, (long)other["seq"]!);
        Assert.Equal((string?)first["messageId"], (string?)(await ReconcileAsync("d1", 0))["messageId"]);
        Assert.Equal("sent", (string?)(await ReconcileAsync("d1", 1))["status"]);
        Assert.Equal("not_sent", (string?)(await ReconcileAsync("d1", 2))["status"]);

        Task<JsonNode> ReconcileAsync(string delivery, int part) => link.CallAsync(
            plugin, "link.reconcile", new JsonObject { ["channel"] = "test", ["deliveryId"] = delivery, ["part"] = part, ["to"] = "t:route-a" });
    }

    [Theory]
    [InlineData("NO_REPLY")]
    [InlineData(" HEARTBEAT_OK\n")]
    [InlineData("")]
    public async Task Send_NothingToSay_IsNotStored(string text)
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var answer = await link.CallAsync(plugin, "link.send", Send("d1", text));
        Assert.Equal("", (string?)answer["messageId"]);
        Assert.Empty(await link.Store.QueryOutboxAsync(new OutboxQuery()));
    }

    [Theory]
    [InlineData("look", """[{"path":"/home/op/secret/cat.png","mimeType":"image/png"}]""", "look\n[file cat.png: it couldn't be read]")]
    [InlineData("", """[{"url":"https://example.org/a/b.pdf?key=1"},{"fileName":"c.txt"}]""", "[file b.pdf: it couldn't be read]\n[file c.txt: it couldn't be read]")]
    [InlineData("x", """[{"path":"/"}]""", "x\n[file without a name: it couldn't be read]")]
    public async Task Send_WithFiles_TellsTheirNamesAndNoPath(string text, string media, string expected)
    {
        await using var link = new LinkUnderTest();
        var send = Send("d1", text);
        send["media"] = JsonNode.Parse(media);
        var message = await StoredAsync(link, await link.CallAsync(await link.LinkedAsync(), "link.send", send));
        Assert.Equal((expected, "text"), (message.Text, message.Type));
        Assert.Null(message.Attachment);
    }

    [Fact]
    public async Task Send_LongAfterATurnWithoutReply_StillNamesItsMessage()
    {
        var store = new MemoryStore();
        var turn = LinkUnderTest.Turn(sessionKey: "lane-a:task:x");
        await using (var before = new LinkUnderTest(store))
        {
            var plugin = await before.LinkedAsync();
            var running = before.RunAsync(turn);
            await before.EventAsync(plugin, await plugin.CalledAsync("link.turn"), "done");
            await running;
        }

        // The host was restarted meanwhile: only what is stored is known.
        await using var after = new LinkUnderTest(store);
        var answer = await after.CallAsync(await after.LinkedAsync(), "link.send", Send("d1", "late answer", turn.Id.ToString("D")));
        var message = await StoredAsync(after, answer);
        Assert.Equal(("late answer", "bridge-1", "lane-a:task:x"), (message.Text, message.ReplyToId, (string)answer["sessionKey"]!));
    }

    [Fact]
    public async Task Send_BeforeItsTurnRunsAgain_FindsTheMessageInTheInbox()
    {
        var store = new MemoryStore();
        var turn = LinkUnderTest.Turn(sessionKey: "lane-a:task:x");
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
        await using var link = new LinkUnderTest(store);
        var answer = await link.CallAsync(await link.LinkedAsync(), "link.send", Send("d1", "the answer", turn.Id.ToString("D")));
        Assert.Equal("bridge-1", (await StoredAsync(link, answer)).ReplyToId);
        Assert.Equal("lane-a:task:x", (string?)answer["sessionKey"]);
    }

    [Theory]
    [InlineData("allow", AdmissionOutcome.Allow)]
    [InlineData("block", AdmissionOutcome.Block)]
    [InlineData("pairing", AdmissionOutcome.Pairing)]
    public async Task Admit_Asked_IsTheGatewaysDecision(string decision, AdmissionOutcome outcome)
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        plugin.Answers["link.admit"] = _ => Task.FromResult(new JsonObject { ["decision"] = decision, ["replyText"] = "code 1", ["replyKey"] = "pairing/1" });
        var answer = await link.Admission.AdmitAsync(plugin, Question);
        Assert.Equal(outcome, answer.Outcome);
        if (outcome == AdmissionOutcome.Pairing) Assert.Equal(("code 1", "pairing/1"), (answer.ReplyText, answer.ReplyKey));
    }

    [Fact]
    public async Task Admit_UnknownDecisionOrNoLink_AdmitsNobody()
    {
        await using var link = new LinkUnderTest();
        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<BridgeException>(async () => await link.Admission.AdmitAsync(new FakePlugin(), Question))).Code);
        var plugin = await link.LinkedAsync();
        plugin.Answers["link.admit"] = _ => Task.FromResult(new JsonObject { ["decision"] = "perhaps" });
        await Assert.ThrowsAsync<BridgeException>(async () => await link.Admission.AdmitAsync(plugin, Question));
    }

    private static AdmissionRequest Question => new()
    {
        Channel = "test",
        AccountId = "Primary",
        Subject = "Test:a",
        SenderId = "s",
        ConversationId = "c",
        Route = "route-a",
        SessionKey = "lane-a",
    };

    private static JsonObject Say(string connId, string text = "hello", string scopes = "operator.write") => new()
    {
        ["method"] = "test.say",
        ["params"] = new JsonObject { ["text"] = text },
        ["connId"] = connId,
        ["scopes"] = new JsonArray(scopes),
    };

    private static JsonObject Send(string deliveryId, string text, string? replyToId = null, int part = 0) => new()
    {
        ["channel"] = "test",
        ["deliveryId"] = deliveryId,
        ["part"] = part,
        ["to"] = "t:route-a",
        ["text"] = text,
        ["replyToId"] = replyToId,
    };

    private static async Task<OutboundMessage> StoredAsync(LinkUnderTest link, JsonNode answer)
    {
        var entry = await link.Store.GetOutboxAsync(Guid.Parse((string)answer["messageId"]!));
        return MessageCodec.ReadOutbound(entry!.Payload.Span);
    }
}
