using System.Text.Json.Nodes;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The whole way through the real gateway: bridge → gateway → plugin → host → plugin → gateway's agent → … → bridge.</summary>
[Collection(InteropCollection.Name)]
public sealed class GatewayTests(InteropLab lab)
{
    [OpenClawFact]
    public async Task Inbound_ReadAndWriteScopesOnly_IsAnsweredWithReference()
    {
        await using var bridge = await lab.BridgeAsync();
        Assert.Equal("plugin.bncr.push", (string?)bridge.Connected["pushEvent"]);
        Assert.Equal(2, (int)bridge.Connected["bridgeVersion"]!);

        var accepted = await bridge.AcceptedAsync("anna", "please ask:first now", "in-1");
        var push = await bridge.PushAsync("anna");

        Assert.Equal("answer to first", (string?)push["message"]!["msg"]);
        Assert.Equal("in-1", (string?)push["replyToId"]);
        Assert.Equal("message.outbound", (string?)push["type"]);
        Assert.Equal((string?)accepted["sessionKey"], (string?)push["sessionKey"]);
        Assert.Equal((string?)push["messageId"], (string?)push["idempotencyKey"]);
        Assert.StartsWith("agent:main:bncr:direct:", (string?)accepted["sessionKey"], StringComparison.Ordinal);
    }

    [OpenClawFact]
    public async Task Inbound_SameMessageTwice_IsAnsweredOnce()
    {
        await using var bridge = await lab.BridgeAsync();
        await bridge.AcceptedAsync("berta", "ask:twice", "twice-1");
        await bridge.PushAsync("berta");

        var again = await bridge.SayAsync("berta", "ask:twice", "twice-1");
        Assert.True((bool)again["payload"]!["duplicated"]!, again.ToJsonString());
        await bridge.AcceptedAsync("berta", "ask:afterwards", "twice-2");
        Assert.Equal("answer to afterwards", (string?)(await bridge.PushAsync("berta"))["message"]!["msg"]);
        Assert.Equal(1, lab.Model.CountOf("twice"));
    }

    [OpenClawFact]
    public async Task Turn_StreamsPartials_TheyReachTheHost()
    {
        await using var bridge = await lab.BridgeAsync();
        var before = await PartialsAsync();
        await bridge.AcceptedAsync("carl", "ask:streaming", "partial-1");
        await bridge.PushAsync("carl");
        var now = before;
        await InteropLab.EventuallyAsync(
            async () => new JsonObject { ["partials"] = now = await PartialsAsync() }, _ => now > before);

        async Task<long> PartialsAsync()
        {
            await using var operatorClient = await BncrClient.OperatorAsync(lab.Host.WebSocketUrl, lab.Host.Token);
            var answer = await operatorClient.CallAsync("diagnostics", []);
            Assert.True((bool)answer["ok"]!, answer.ToJsonString());
            return (long)answer["payload"]!["link"]!["partials"]!;
        }
    }

    [OpenClawFact]
    public async Task Send_BridgeOffline_IsDeliveredInOrderWhenItIsBack()
    {
        await using (var bridge = await lab.BridgeAsync())
        {
            await IntroduceAsync(bridge, "dora");
        }

        await using var sender = await lab.BridgeAsync("Closed");
        for (var i = 1; i <= 3; i++) await SentAsync(sender, "Bncr:interop:dora", $"offline {i}", $"offline-{i}");

        await using var back = await lab.BridgeAsync();
        for (var i = 1; i <= 3; i++) Assert.Equal($"offline {i}", (string?)(await back.PushAsync("dora"))["message"]!["msg"]);
    }

    [OpenClawFact]
    public async Task Send_Proactive_ReceiptIsTheMessageId()
    {
        await using var bridge = await lab.BridgeAsync();
        await IntroduceAsync(bridge, "emil");
        var sent = await SentAsync(bridge, "Bncr:interop:emil", "news for emil", "news-1");
        var push = await bridge.PushAsync("emil");
        Assert.Equal("news for emil", (string?)push["message"]!["msg"]);
        Assert.Equal((string?)sent["payload"]!["messageId"], (string?)push["messageId"]);
        Assert.Null(push["replyToId"]);
        // The same key again is the same message.
        await SentAsync(bridge, "Bncr:interop:emil", "news for emil", "news-1");
        await SentAsync(bridge, "Bncr:interop:emil", "more for emil", "news-2");
        Assert.Equal("more for emil", (string?)(await bridge.PushAsync("emil"))["message"]!["msg"]);
    }

    [OpenClawFact]
    public async Task Send_UnknownTarget_IsRefusedForGood()
    {
        await using var bridge = await lab.BridgeAsync();
        var answer = await SendAsync(bridge, "Bncr:interop:nobody-knows", "for nobody", "nobody-1");
        Assert.False((bool)answer["ok"]!, answer.ToJsonString());
        Assert.Contains("not found", (string?)answer["error"]!["message"], StringComparison.Ordinal);
        Assert.NotEqual("OUTBOUND_DELIVERY_QUEUED", (string?)answer["error"]!["details"]?["code"]);
    }

    [OpenClawFact]
    public async Task Send_HostKilled_IsUnavailableThenDeliveredOnce()
    {
        await using var bridge = await lab.BridgeAsync();
        await IntroduceAsync(bridge, "fred");
        await lab.KillHostAsync();

        var sent = await SendAsync(bridge, "Bncr:interop:fred", "while the host is away", "away-1");
        Assert.False((bool)sent["ok"]!, sent.ToJsonString());
        Assert.Equal("UNAVAILABLE", (string?)sent["error"]!["code"]);
        var heartbeat = await bridge.CallAsync("bncr.activity", new JsonObject { ["clientId"] = bridge.ClientId });
        Assert.Equal("UNAVAILABLE", (string?)heartbeat["error"]!["code"]);
        Assert.True((bool)heartbeat["error"]!["retryable"]!);
        Assert.NotNull((string?)heartbeat["payload"]!["error"]);

        await lab.StartHostAsync();
        // The bridge does nothing: the plugin announces it to the host that is back, and sends what it kept.
        Assert.Equal("while the host is away", (string?)(await bridge.PushAsync("fred"))["message"]!["msg"]);
        await SentAsync(bridge, "Bncr:interop:fred", "afterwards", "away-2");
        Assert.Equal("afterwards", (string?)(await bridge.PushAsync("fred"))["message"]!["msg"]);
    }

    [OpenClawFact]
    public async Task Turn_HostKilledInIt_IsAnsweredOnceAfterTheRestart()
    {
        await using var bridge = await lab.BridgeAsync();
        var hold = lab.Model.Hold("held");
        await bridge.AcceptedAsync("gerd", "ask:held", "kill-host-1");
        await bridge.AcceptedAsync("gerd", "ask:queued", "kill-host-2");
        await lab.Model.AskedAsync("held");
        await lab.KillHostAsync();
        hold.TrySetResult();
        await lab.StartHostAsync();

        var first = await bridge.PushAsync("gerd");
        Assert.Equal("answer to held", (string?)first["message"]!["msg"]);
        Assert.Equal("kill-host-1", (string?)first["replyToId"]);
        var second = await bridge.PushAsync("gerd");
        Assert.Equal("answer to queued", (string?)second["message"]!["msg"]);
        Assert.Equal("kill-host-2", (string?)second["replyToId"]);
        Assert.False(bridge.HasPush("gerd"));
    }

    [OpenClawFact]
    public async Task Turn_GatewayKilledInIt_IsAnsweredAfterItsRestart()
    {
        string accepted;
        var hold = lab.Model.Hold("interrupted");
        await using (var bridge = await lab.BridgeAsync())
        {
            accepted = (string)(await bridge.AcceptedAsync("hans", "ask:interrupted", "kill-gateway-1"))["sessionKey"]!;
            await lab.Model.AskedAsync("interrupted");
            await lab.Gateway.KillAsync();
        }

        hold.TrySetResult();
        await lab.Gateway.StartAsync();
        await using var back = await lab.BridgeAsync();
        var push = await back.PushAsync("hans");
        Assert.Equal("answer to interrupted", (string?)push["message"]!["msg"]);
        Assert.Equal(accepted, (string?)push["sessionKey"]);
    }

    [OpenClawFact]
    public async Task Pairing_Stranger_GetsACodeAndIsAnsweredOnceApproved()
    {
        await using var bridge = await lab.BridgeAsync("Paired");
        var refused = await bridge.SayAsync("ida", "ask:too-early", "pair-1");
        Assert.True((bool)refused["ok"]!, refused.ToJsonString());
        Assert.False((bool)refused["payload"]!["accepted"]!);

        var told = (string)(await bridge.PushAsync("ida"))["message"]!["msg"]!;
        var code = System.Text.RegularExpressions.Regex.Match(told, "pairing approve bncr (\\S+)").Groups[1].Value;
        Assert.True(code.Length > 0, told);
        // Asking again tells no second time.
        await bridge.SayAsync("ida", "ask:too-early", "pair-2");
        var (exit, output) = await lab.Gateway.CommandAsync("pairing", "approve", "bncr", code);
        Assert.True(exit == 0, output);

        await bridge.AcceptedAsync("ida", "ask:welcome", "pair-3");
        string answer;
        do answer = (string)(await bridge.PushAsync("ida"))["message"]!["msg"]!;
        while (answer != "answer to welcome" && !answer.Contains("pairing approve", StringComparison.Ordinal));
        Assert.Equal("answer to welcome", answer);
        Assert.Equal(0, lab.Model.CountOf("too-early"));
    }

    [OpenClawFact]
    public async Task Policy_DirectMessagesDisabled_AreRefusedWithTheReason()
    {
        await using var bridge = await lab.BridgeAsync("Closed");
        var refused = await bridge.SayAsync("kurt", "ask:never", "closed-1");
        Assert.False((bool)refused["payload"]!["accepted"]!);
        Assert.Equal("dm disabled", (string?)refused["payload"]!["reason"]);
        Assert.Equal(0, lab.Model.CountOf("never"));
    }

    [OpenClawFact]
    public async Task Method_UnknownToTheHost_IsACodedErrorWithTheTextForOldClients()
    {
        await using var bridge = await lab.BridgeAsync();
        var answer = await bridge.CallAsync("bncr.ack", []);
        Assert.False((bool)answer["ok"]!);
        Assert.Equal("INVALID_REQUEST", (string?)answer["error"]!["code"]);
        Assert.Equal("messageId required", (string?)answer["payload"]!["error"]);
    }

    /// <summary>Makes a user known to the account: messages go to known conversations only.</summary>
    private static async Task IntroduceAsync(BncrClient bridge, string user)
    {
        await bridge.AcceptedAsync(user, $"ask:hello-{user}", $"hello-{user}");
        Assert.Equal($"answer to hello-{user}", (string?)(await bridge.PushAsync(user))["message"]!["msg"]);
    }

    private static Task<JsonObject> SendAsync(BncrClient client, string to, string text, string key) => client.CallAsync("send", new JsonObject
    {
        ["channel"] = "bncr",
        ["to"] = to,
        ["message"] = text,
        ["idempotencyKey"] = key,
    });

    private static async Task<JsonObject> SentAsync(BncrClient client, string to, string text, string key)
    {
        var answer = await SendAsync(client, to, text, key);
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        return answer;
    }
}
