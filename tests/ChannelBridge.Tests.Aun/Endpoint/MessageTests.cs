using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.Aun.Sealing;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>Messages through a real host: numbers, pushes, pulls, acks, recalls, copies for devices, modes, and agents.</summary>
public sealed class MessageTests
{
    [Fact]
    public async Task Messages_AreNumberedPushedPulledAndAcked()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var from = await alice.ConnectAsync("da");
        Assert.Equal("sent", (string)(await from.CallAsync("message.send", TestAgent.Text(bob.Aid, "while away")))["status"]!);
        await using var to = await bob.ConnectAsync("db", "s");
        // Who is told from then on: of several that come at once a later one may be the first that is told.
        await from.CallAsync("message.send", TestAgent.Text(bob.Aid, "now"));
        Assert.Equal(2, (int)(await to.EventAsync("message.received"))["seq"]!);
        var calls = new List<Task<JsonObject>>();
        for (var i = 0; i < 200; i++) calls.Add(await from.BeginAsync("message.send", TestAgent.Text(bob.Aid, $"text {i}", $"m{i}")));
        var answers = await Task.WhenAll(calls);
        Assert.Equal(Enumerable.Range(3, 200), answers.Select(static answer => (int)answer["seq"]!));
        for (var i = 0; i < 200; i++)
        {
            var told = await to.EventAsync("message.received");
            Assert.Equal((i + 3, $"text {i}", alice.Aid, $"m{i}"),
                ((int)told["seq"]!, (string)told["payload"]!["text"]!, (string)told["from"]!, (string)told["message_id"]!));
        }

        // The same again is the same message; a forged sender changes nothing.
        var again = TestAgent.Text(bob.Aid, "other words", "m7");
        again["from"] = "somebody.agentid.pub";
        var twice = await from.CallAsync("message.send", again);
        Assert.Equal(("duplicate", 10), ((string)twice["status"]!, (int)twice["seq"]!));

        var pulled = await to.CallAsync("message.pull", new JsonObject { ["after_seq"] = 0, ["limit"] = 150, ["device_id"] = "db", ["slot_id"] = "s" });
        Assert.Equal((150, 202, 0), ((int)pulled["count"]!, (int)pulled["latest_seq"]!, (int)pulled["server_ack_seq"]!));
        Assert.Equal(Enumerable.Range(1, 150), pulled["messages"]!.AsArray().Select(static one => (int)one!["seq"]!));
        Assert.Equal(52, (int)(await to.CallAsync("message.pull", new JsonObject { ["after_seq"] = 150 }))["count"]!);
        Assert.Equal(0, (int)(await to.CallAsync("message.pull", new JsonObject { ["after_seq"] = 202 }))["count"]!);
        Assert.Equal(120, (int)(await to.CallAsync("message.ack", new JsonObject { ["seq"] = 120 }))["ack_seq"]!);
        Assert.Equal(120, (int)(await to.CallAsync("message.ack", new JsonObject { ["seq"] = 5 }))["ack_seq"]!);
        Assert.True((bool)(await from.CallAsync("message.query_online", new JsonObject { ["aids"] = new JsonArray(bob.Aid, "nobody.agentid.pub") }))["online"]![bob.Aid]!);
    }

    [Fact]
    public async Task BadCalls_AreRefused_AndTheConnectionGoesOn()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var line = await alice.ConnectAsync("da", "s");
        foreach (var (code, words, method, parameters) in new (int, string, string, JsonObject)[]
        {
            (-32603, "to", "message.send", new JsonObject { ["payload"] = new JsonObject() }),
            (-32603, "payload", "message.send", new JsonObject { ["to"] = bob.Aid }),
            (-32603, "object", "message.send", new JsonObject { ["to"] = bob.Aid, ["payload"] = "a text" }),
            (-32603, "unknown AID", "message.send", TestAgent.Text("nobody.agentid.pub", "x")),
            (-32603, "1048576", "message.send", TestAgent.Text(bob.Aid, new string('x', 1024 * 1024))),
            (-32603, "deep", "message.send", new JsonObject { ["to"] = bob.Aid, ["payload"] = Deep(65) }),
            (-32602, "device_id", "message.send", new JsonObject { ["to"] = bob.Aid, ["payload"] = new JsonObject(), ["device_id"] = "other" }),
            (-32602, "after_seq", "message.pull", new JsonObject { ["after_seq"] = -1 }),
            (-32602, "after_seq", "message.pull", new JsonObject { ["after_seq"] = JsonNode.Parse("9223372036854775808") }),
            (-32602, "limit", "message.pull", new JsonObject { ["limit"] = 0 }),
            (-32602, "device_id", "message.pull", new JsonObject { ["device_id"] = "other" }),
            (-32602, "slot_id", "message.ack", new JsonObject { ["seq"] = 1, ["slot_id"] = "other" }),
            (-32602, "seq", "message.ack", []),
            (-32602, "message_ids", "message.recall", new JsonObject { ["message_ids"] = Ids(101) }),
            (-32602, "aids", "message.query_online", new JsonObject { ["aids"] = Ids(101) }),
        })
        {
            var refused = await line.RefusedAsync(method, parameters);
            Assert.Equal(code, refused.Code);
            Assert.Contains(words, refused.Message, StringComparison.Ordinal);
        }

        foreach (var garbage in new[] { "no json", "[1]", "\"x\"", "{}", """{"id":{},"method":"meta.ping"}""", new string('[', 600) })
        {
            await line.SayAsync(garbage);
            Assert.True((int)(await line.FrameAsync())["error"]!["code"]! is -32700 or -32600);
        }

        Assert.Equal("sent", (string)(await line.CallAsync("message.send", new JsonObject { ["to"] = bob.Aid, ["payload"] = Deep(64) }))["status"]!);
        Assert.True((bool)(await line.CallAsync("meta.ping", []))["pong"]!);

        static JsonObject Deep(int depth)
        {
            var deepest = new JsonObject();
            for (var i = 1; i < depth; i++) deepest = new JsonObject { ["a"] = deepest };
            return deepest;
        }

        static JsonArray Ids(int count) => new([.. Enumerable.Range(0, count).Select(static number => (JsonNode?)$"id{number}")]);
    }

    [Fact]
    public async Task Recall_EachErrorByName()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var from = await alice.ConnectAsync("da");
        await using var to = await bob.ConnectAsync("db");
        foreach (var id in new[] { "m1", "m2", "m3" }) await from.CallAsync("message.send", TestAgent.Text(bob.Aid, id, id));
        var recalled = await from.CallAsync("message.recall", new JsonObject { ["message_ids"] = new JsonArray("m2", "none") });
        Assert.Equal((1, "none", "not_found"), ((int)recalled["recalled"]!, (string)recalled["errors"]![0]!["message_id"]!, (string)recalled["errors"]![0]!["error"]!));
        Assert.Equal("m2", (string)(await to.EventAsync("message.recalled"))["message_ids"]![0]!);
        Assert.Equal("already_recalled", await ErrorAsync(from, "m2"));
        Assert.Equal("not_sender", await ErrorAsync(to, "m1"));
        var pulled = await to.CallAsync("message.pull", []);
        Assert.Equal([1, 3], pulled["messages"]!.AsArray().Select(static one => (int)one!["seq"]!));
        Assert.Equal(2, (int)(await to.CallAsync("message.pull", new JsonObject { ["after_seq"] = 1 }))["server_ack_seq"]!);

        static async Task<string> ErrorAsync(TestLine line, string id) =>
            (string)(await line.CallAsync("message.recall", new JsonObject { ["message_ids"] = new JsonArray(id) }))["errors"]![0]!["error"]!;
    }

    [Fact]
    public async Task Copies_GoToTheirDevices_AndHolesArePassed()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var from = await alice.ConnectAsync("a1");
        await using var mine = await alice.ConnectAsync("a2");
        await using var one = await bob.ConnectAsync("b1");
        await using var two = await bob.ConnectAsync("b2");
        Assert.False((bool)(await from.CallAsync("message.e2ee.get_prekey", new JsonObject { ["aid"] = bob.Aid }))["found"]!);
        await one.CallAsync("message.e2ee.put_prekey", bob.Prekey());
        var found = await from.CallAsync("message.e2ee.get_prekey", new JsonObject { ["aid"] = bob.Aid });
        Assert.Equal(("b1", "pk"), ((string)found["device_prekeys"]![0]!["device_id"]!, (string)found["prekey"]!["prekey_id"]!));
        Assert.Equal(-32602, (await two.RefusedAsync("message.e2ee.put_prekey", alice.Prekey())).Code);
        var guard = new JsonObject { ["sender_aid"] = alice.Aid, ["message_id"] = "m", ["encryption_mode"] = "prekey_ecdh_v2" };
        Assert.False((bool)(await one.CallAsync("message.e2ee.record_replay_guard", guard))["duplicate"]!);
        Assert.True((bool)(await one.CallAsync("message.e2ee.record_replay_guard", guard.DeepClone().AsObject()))["duplicate"]!);

        var sent = await from.CallAsync("message.send", Send("m1", ["b1", "b2"], ["a1", "a2"]));
        Assert.Equal(("m1", 1), ((string)sent["message_id"]!, (int)sent["seq"]!));
        foreach (var (line, device) in new[] { (one, "b1"), (two, "b2"), (mine, "a2") })
        {
            var told = await line.EventAsync("message.received");
            Assert.Equal((device, device, "m1", alice.Aid, bob.Aid, "e2ee.encrypted", true), ((string)told["device_id"]!, (string)told["payload"]!["for"]!,
                (string)told["message_id"]!, (string)told["from"]!, (string)told["to"]!, (string)told["type"]!, (bool)told["encrypted"]!));
        }

        await from.CallAsync("message.send", Send("m2", ["b2"], []));
        await from.CallAsync("message.send", Send("m3", ["b1"], []));
        Assert.Equal(3, (int)(await one.EventAsync("message.received"))["seq"]!);
        var pulled = await one.CallAsync("message.pull", new JsonObject { ["after_seq"] = 1 });
        Assert.Equal((1, 2, 3), ((int)pulled["count"]!, (int)pulled["server_ack_seq"]!, (int)pulled["latest_seq"]!));
        Assert.Empty(from.Told());

        foreach (var wrong in new[]
        {
            Send("w1", ["b1", "b1"], []), Send("w2", ["elsewhere"], []), Send("w3", [.. Enumerable.Range(0, 65).Select(static i => $"d{i}")], []), Send("w4", [], []),
        })
        {
            Assert.Equal(-32603, (await from.RefusedAsync("message.send", wrong)).Code);
        }

        var other = Send("w5", ["b1"], []);
        other["payload"]!["recipient_copies"]![0]!["envelope"]!["aad"] = new JsonObject { ["to"] = alice.Aid };
        Assert.Equal(-32603, (await from.RefusedAsync("message.send", other)).Code);

        JsonObject Send(string id, string[] devices, string[] own) => new()
        {
            ["to"] = bob.Aid,
            ["type"] = "e2ee.multi_device",
            ["encrypted"] = true,
            ["message_id"] = id,
            ["payload"] = new JsonObject { ["type"] = "e2ee.multi_device", ["recipient_copies"] = Copies(devices), ["self_copies"] = Copies(own) },
        };

        static JsonArray Copies(string[] devices) => new([.. devices.Select(static device =>
            (JsonNode?)new JsonObject { ["device_id"] = device, ["envelope"] = new JsonObject { ["type"] = "e2ee.encrypted", ["for"] = device } })]);
    }

    [Fact]
    public async Task Queue_TellsExactlyOne_AndAnotherOneWhenThatLeaves()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        var mode = new JsonObject { ["mode"] = "queue", ["routing"] = "round_robin" };
        await using var from = await alice.ConnectAsync("da");
        await using var one = await bob.ConnectAsync("db", "1", mode);
        var two = await bob.ConnectAsync("db", "2", mode);
        for (var i = 1; i <= 10; i++) Assert.Equal("delivered", (string)(await from.CallAsync("message.send", TestAgent.Text(bob.Aid, $"t{i}")))["status"]!);
        var told = new List<int>();
        for (var i = 0; i < 5; i++)
        {
            told.Add((int)(await one.EventAsync("message.received"))["seq"]!);
            told.Add((int)(await two.EventAsync("message.received"))["seq"]!);
        }

        Assert.Equal(Enumerable.Range(1, 10), told.Order());
        var mine = (await one.CallAsync("message.pull", []))["messages"]!.AsArray().Select(static each => (int)each!["seq"]!).ToArray();
        Assert.Equal(told.Where((_, index) => index % 2 == 0).Order(), mine);

        // What the other one had and hadn't acked is told again.
        await two.DisposeAsync();
        var rest = new List<int>();
        for (var i = 0; i < 5; i++) rest.Add((int)(await one.EventAsync("message.received"))["seq"]!);
        Assert.Equal(told.Where((_, index) => index % 2 == 1).Order(), rest.Order());
    }

    [Fact]
    public async Task Affinity_KeepsASendersConnection()
    {
        await using var lab = await GatewayLab.StartAsync();
        var bob = await lab.AgentAsync("bobby");
        var mode = new JsonObject { ["mode"] = "queue", ["routing"] = "sender_affinity", ["affinity_ttl_ms"] = 300000 };
        await using var one = await bob.ConnectAsync("db", "1", mode);
        await using var two = await bob.ConnectAsync("db", "2", mode);
        foreach (var name in new[] { "alice", "carol" })
        {
            var sender = await lab.AgentAsync(name);
            await using var from = await sender.ConnectAsync();
            for (var i = 0; i < 4; i++) await from.CallAsync("message.send", TestAgent.Text(bob.Aid, name));
        }

        await one.CallAsync("meta.ping", []);
        await two.CallAsync("meta.ping", []);
        var heard = new[] { one, two }.Select(static line => line.Told().Where(static frame => (string?)frame["method"] == "event/message.received")
            .Select(static frame => (string)frame["params"]!["payload"]!["text"]!).ToArray()).ToArray();
        Assert.All(heard, static texts => Assert.Equal(4, texts.Length));
        Assert.All(heard, static texts => Assert.Single(texts.Distinct(StringComparer.Ordinal)));
    }

    [Fact]
    public async Task Agent_AnswersWhatIsPlainAndWhatIsSealed_AndTakesNothingThatWasChanged()
    {
        await using var lab = await GatewayLab.StartAsync(static options => options.Agents[GatewayLab.Bot] = "echo");
        var alice = await lab.AgentAsync("alice");
        await using var line = await alice.ConnectAsync("da");
        Assert.Equal("delivered", (string)(await line.CallAsync("message.send", TestAgent.Text(GatewayLab.Bot, "/stop hello", "q1")))["status"]!);
        var answer = await line.EventAsync("message.received");
        Assert.Equal((GatewayLab.Bot, "echo: /stop hello", 1), ((string)answer["from"]!, (string)answer["payload"]!["text"]!, (int)answer["seq"]!));
        Assert.Equal("duplicate", (string)(await line.CallAsync("message.send", TestAgent.Text(GatewayLab.Bot, "/stop hello", "q1")))["status"]!);

        // Acked when it is in the log, delivered when its receiver has acked.
        var deliveries = lab.Services.GetRequiredService<IDeliveries>();
        var id = Guid.Parse((string)answer["message_id"]!);
        await Wait.UntilAsync(async () => (await deliveries.FindAsync(id))!.State == DeliveryState.Acked);
        await line.CallAsync("message.ack", new JsonObject { ["seq"] = 1 });
        await Wait.UntilAsync(async () => (await deliveries.FindAsync(id))!.State == DeliveryState.Delivered);

        JsonObject found = [];
        await Wait.UntilAsync(async () => (bool)(found = await line.CallAsync("message.e2ee.get_prekey", new JsonObject { ["aid"] = GatewayLab.Bot }))["found"]!);
        using var keys = new IdentityKeys(alice.Aid, alice.Key);
        using var sealer = new Sealer(keys, "da", new GatewayKeys(lab, found), lab.Records, requireForwardSecrecy: true, TimeProvider.System);
        var prekey = await sealer.PrekeyAsync(CancellationToken.None);
        await line.CallAsync("message.e2ee.put_prekey", new JsonObject
        {
            ["prekey_id"] = prekey.Id,
            ["public_key"] = prekey.PublicKey,
            ["signature"] = prekey.Signature,
            ["created_at"] = prekey.CreatedAt,
        });
        var sealedSend = await sealer.SealAsync(GatewayLab.Bot, "q2", """{"type":"text","text":"secret"}"""u8.ToArray(), CancellationToken.None);
        var send = new JsonObject
        {
            ["to"] = GatewayLab.Bot,
            ["type"] = sealedSend.Type,
            ["encrypted"] = true,
            ["message_id"] = "q2",
            ["payload"] = JsonNode.Parse(sealedSend.Payload.Span),
        };
        var changed = send.DeepClone().AsObject();
        var envelope = changed["payload"]!["recipient_copies"]?[0]?["envelope"] ?? changed["payload"]!;
        var text = Convert.FromBase64String((string)envelope["ciphertext"]!);
        text[0] ^= 1;
        envelope["ciphertext"] = Convert.ToBase64String(text);
        var dead = await line.CallAsync("message.send", changed);
        Assert.Equal("dead", (string)dead["status"]!);
        Assert.Contains("signature_wrong", (string)dead["error"]!, StringComparison.Ordinal);

        Assert.Equal("delivered", (string)(await line.CallAsync("message.send", send))["status"]!);
        var reply = await line.EventAsync("message.received");
        Assert.True((bool)reply["encrypted"]!);
        Assert.Equal("da", (string)reply["device_id"]!);
        var received = new SealedMessage(
            GatewayLab.Bot, alice.Aid, (string)reply["message_id"]!, System.Text.Json.JsonElement.Parse(reply["payload"]!.ToJsonString()), true);
        var opened = await sealer.OpenAsync(received, CancellationToken.None);
        Assert.Equal("echo: secret", (string)JsonNode.Parse(opened.Payload.Span)!["text"]!);
        Assert.Equal("duplicate", (string)(await line.CallAsync("message.send", send.DeepClone().AsObject()))["status"]!);
    }
}
