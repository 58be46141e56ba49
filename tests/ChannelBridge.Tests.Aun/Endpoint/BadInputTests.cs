using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun.Endpoint;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>
/// The list of bad input, row by row, as far as it is the endpoint's and not in the tests of what it is bad input of: logins in <see cref="LoginTests"/>, calls in
/// <see cref="MessageTests"/>, connections that say nothing in <see cref="HubTests"/>. Gateways that lie are the connector's.
/// </summary>
public sealed class BadInputTests
{
    [Fact]
    public async Task WhoAConnectionIs_IsNotSaidByItsCalls()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var from = await alice.ConnectAsync("da", "s");
        await using var to = await bob.ConnectAsync("db", "s");
        var forged = TestAgent.Text(bob.Aid, "hello", "m1");
        forged["from"] = "carol.agentid.pub";
        await from.CallAsync("message.send", forged);
        Assert.Equal(alice.Aid, (string)(await to.EventAsync("message.received"))["from"]!);

        foreach (var method in new[] { "message.pull", "message.ack" })
        {
            foreach (var (name, value) in new[] { ("device_id", "da"), ("slot_id", "another") })
            {
                var refused = await to.RefusedAsync(method, new JsonObject { ["seq"] = 1, [name] = value });
                Assert.Equal(-32602, refused.Code);
                Assert.Contains(name, refused.Message, StringComparison.Ordinal);
            }
        }

        Assert.Equal(0, (int)(await to.CallAsync("message.ack", new JsonObject { ["seq"] = 0 }))["ack_seq"]!);
        var recall = await to.CallAsync("message.recall", new JsonObject { ["message_ids"] = new JsonArray("m1") });
        Assert.Equal((0, "not_sender"), ((int)recall["recalled"]!, (string)recall["errors"]![0]!["error"]!));
        Assert.Equal(1, (int)(await to.CallAsync("message.pull", []))["count"]!);
    }

    [Fact]
    public async Task ALogin_HasAMinute_AndNeedsItsFirstStep()
    {
        var time = new MovedTime();
        await using var lab = await GatewayLab.StartAsync(time: time);
        var alice = await lab.AgentAsync("alice");
        var first = await alice.Login1Async();
        time.By += TimeSpan.FromSeconds(61);
        Assert.Equal(4010, await CodeAsync(first));
        first = await alice.Login1Async();
        time.By += TimeSpan.FromSeconds(58);
        await alice.ShortAsync("auth.aid_login2", alice.Login2(first, time.GetUtcNow()));
        Assert.Equal(4010, await CodeAsync(first));
        Assert.Equal(4010, await CodeAsync(new JsonObject { ["request_id"] = $"{time.GetUtcNow().AddSeconds(30).ToUnixTimeMilliseconds()}.AAAA", ["nonce"] = "nonce" }));

        async Task<int> CodeAsync(JsonObject step) =>
            (await Assert.ThrowsAsync<AnswerException>(() => alice.ShortAsync("auth.aid_login2", alice.Login2(step, time.GetUtcNow())))).Code;
    }

    [Fact]
    public async Task ACertificate_OfAMegabyte_EndsTheConnection_AndAnExpiredOneIsRefused()
    {
        var time = new MovedTime();
        await using var lab = await GatewayLab.StartAsync(time: time);
        var alice = await lab.AgentAsync("alice");
        await using (var line = await lab.LineAsync())
        {
            var login = new JsonObject { ["aid"] = alice.Aid, ["cert"] = new string('A', 1 << 20), ["client_nonce"] = "nonce" };
            var answer = await line.BeginAsync("auth.aid_login1", login);
            await Assert.ThrowsAsync<IOException>(() => answer);
            Assert.Equal(1009, await line.Closed);
        }

        time.By = TimeSpan.FromDays(366);
        var expired = await Assert.ThrowsAsync<AnswerException>(() => alice.Login1Async());
        Assert.Equal(4001, expired.Code);
        Assert.Contains("expired", expired.Message, StringComparison.Ordinal);

        // Who proves the key without it gets a new one, so the name isn't lost.
        var renewed = await alice.ShortAsync("auth.aid_login2", alice.Login2(await alice.Login1Async(""), time.GetUtcNow()));
        await alice.Login1Async((string)renewed["new_cert"]!);
    }

    [Fact]
    public async Task Registrations_EndAtTheirBound()
    {
        await using var lab = await GatewayLab.StartAsync(static options => options.MaxIdentities = 2);
        foreach (var name in new[] { "alice", "bobby" }) await lab.AgentAsync(name);
        Assert.Contains("no further", (await Assert.ThrowsAsync<AnswerException>(() => lab.AgentAsync("carol"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bounds_AreExact()
    {
        const int Most = 1024 * 1024;
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var line = await alice.ConnectAsync("da");
        Assert.Equal("sent", (string)(await line.CallAsync("message.send", OfBytes(Most)))["status"]!);
        var refused = await line.RefusedAsync("message.send", OfBytes(Most + 1));
        Assert.Equal(-32603, refused.Code);
        Assert.Contains($"payload has {Most + 1} bytes", refused.Message, StringComparison.Ordinal);
        Assert.Equal(100, (await line.CallAsync("message.recall", new JsonObject { ["message_ids"] = Ids(100) }))["errors"]!.AsArray().Count);
        Assert.Equal(-32602, (await line.RefusedAsync("message.recall", new JsonObject { ["message_ids"] = Ids(101) })).Code);
        Assert.Equal(0, (int)(await line.CallAsync("message.pull", new JsonObject { ["after_seq"] = JsonNode.Parse("9223372036854775000") }))["count"]!);

        JsonObject OfBytes(int count) => new() { ["to"] = bob.Aid, ["payload"] = new JsonObject { ["text"] = new string('x', count - """{"text":""}""".Length) } };

        static JsonArray Ids(int count) => new([.. Enumerable.Range(0, count).Select(static number => (JsonNode?)$"id{number}")]);
    }

    [Fact]
    public async Task Copies_OfAThousandDevices_OfAnothersDevice_OrTwiceTheSame_AreRefused_AndNothingIsKept()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var from = await alice.ConnectAsync("a1");
        await using var other = await alice.ConnectAsync("a2");
        await using var to = await bob.ConnectAsync("b1");
        foreach (var (words, devices, own) in new (string, string[], string[])[]
        {
            ("at most 64", [.. Enumerable.Range(0, 1000).Select(static number => $"d{number}")], []),
            ("at most 64", ["b1"], [.. Enumerable.Range(0, 1000).Select(static number => $"d{number}")]),
            ("doesn't have", ["a2"], []),
            ("doesn't have", ["b1"], ["b1"]),
            ("two copies", ["b1", "b1"], []),
            ("two copies", ["b1"], ["a2", "a2"]),
        })
        {
            var refused = await from.RefusedAsync("message.send", Copies(bob.Aid, "m1", devices, own));
            Assert.Equal(-32603, refused.Code);
            Assert.Contains(words, refused.Message, StringComparison.Ordinal);
        }

        // The first number is still to be given out.
        Assert.Equal(1, (int)(await from.CallAsync("message.send", Copies(bob.Aid, "m1", ["b1"], ["a2"])))["seq"]!);
        Assert.Equal(1, (int)(await to.EventAsync("message.received"))["seq"]!);
    }

    [Fact]
    public async Task WhatIsSealedForAnAgent_AndChangedReplayedForAnotherDeviceOrTooOld_DoesntReachIt_AndIsCounted()
    {
        var time = new MovedTime();
        await using var lab = await GatewayLab.StartAsync(static options => options.Agents[GatewayLab.Bot] = "echo", time);
        var alice = await lab.AgentAsync("alice");
        await using var line = await alice.ConnectAsync("da");
        await line.CallAsync("message.e2ee.put_prekey", alice.Prekey());
        JsonObject found = [];
        await Wait.UntilAsync(async () => (bool)(found = await line.CallAsync("message.e2ee.get_prekey", new JsonObject { ["aid"] = GatewayLab.Bot }))["found"]!);
        var keys = new GatewayKeys(lab, found);
        var dead = 0;

        var sound = await SealedAsync("q1");
        foreach (var change in Changes(sound["payload"]!.AsObject()))
        {
            var changed = sound.DeepClone().AsObject();
            change(changed["payload"]!.AsObject());
            await DeadAsync("sealing: ", changed);
        }

        Assert.Equal("delivered", (string)(await line.CallAsync("message.send", sound.DeepClone().AsObject()))["status"]!);
        Assert.True((bool)(await line.EventAsync("message.received"))["encrypted"]!);
        // The same again is a retry; under another name it is a replay.
        Assert.Equal("duplicate", (string)(await line.CallAsync("message.send", sound.DeepClone().AsObject()))["status"]!);
        var replayed = sound.DeepClone().AsObject();
        replayed["message_id"] = "q2";
        await DeadAsync("aad_mismatch", replayed);
        var elsewhere = Copies(GatewayLab.Bot, "q3", ["elsewhere"], []);
        elsewhere["payload"]!["recipient_copies"]![0]!["envelope"] = (await SealedAsync("q3"))["payload"]!.DeepClone();
        await DeadAsync("not_for_us", elsewhere);
        time.By = TimeSpan.FromDays(31);
        await DeadAsync("prekey_unknown", await SealedAsync("q4"));

        // Nothing of it was answered: the next answer is the next question's.
        await line.CallAsync("message.send", TestAgent.Text(GatewayLab.Bot, "last"));
        var last = await line.EventAsync("message.received");
        Assert.Equal((2, "echo: last"), ((int)last["seq"]!, (string)last["payload"]!["text"]!));
        var counts = (await lab.Services.GetRequiredService<AunEndpoint>().CollectAsync(CancellationToken.None))["agents"]![GatewayLab.Bot]!["sealing"]!;
        // A retry is counted with the replays.
        Assert.Equal((1, dead + 1), ((long)counts["opened"]!, counts["refused"]!.AsObject().Sum(static one => (long)one.Value!)));

        Task<JsonObject> SealedAsync(string id) => keys.SealAsync(alice, id, time.GetUtcNow());

        async Task DeadAsync(string words, JsonObject send)
        {
            var answer = await line.CallAsync("message.send", send);
            Assert.True((string)answer["status"]! == "dead", $"{answer.ToJsonString()} of {send["payload"]!.ToJsonString()}");
            Assert.Contains(words, (string)answer["error"]!, StringComparison.Ordinal);
            dead++;
        }
    }

    /// <summary>Each member of an envelope and of its authenticated data, changed in one character.</summary>
    private static IEnumerable<Action<JsonObject>> Changes(JsonObject envelope)
    {
        foreach (var (name, value) in envelope)
        {
            if (value is JsonValue) yield return changed => changed[name] = Other(changed[name]!);
        }

        foreach (var (name, _) in envelope["aad"]!.AsObject()) yield return changed => changed["aad"]![name] = Other(changed["aad"]![name]!);

        static JsonNode Other(JsonNode value) => value.GetValueKind() switch
        {
            System.Text.Json.JsonValueKind.String => (string)value! is ['A', .. var rest] ? "B" + rest : "A" + ((string)value!)[1..],
            _ => (long)value + 1,
        };
    }

    private static JsonObject Copies(string to, string id, string[] devices, string[] own) => new()
    {
        ["to"] = to,
        ["type"] = "e2ee.multi_device",
        ["encrypted"] = true,
        ["message_id"] = id,
        ["payload"] = new JsonObject { ["type"] = "e2ee.multi_device", ["recipient_copies"] = List(devices), ["self_copies"] = List(own) },
    };

    private static JsonArray List(string[] devices) => new([.. devices.Select(static device =>
        (JsonNode?)new JsonObject { ["device_id"] = device, ["envelope"] = new JsonObject { ["type"] = "e2ee.encrypted" } })]);
}
