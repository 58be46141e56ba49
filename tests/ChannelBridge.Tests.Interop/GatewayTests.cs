using System.Text;
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
        var before = (long)(await LinkAsync())["partials"]!;
        await bridge.AcceptedAsync("carl", "ask:streaming", "partial-1");
        await bridge.PushAsync("carl");
        await InteropLab.EventuallyAsync(LinkAsync, link => (long)link["partials"]! > before);
    }

    [OpenClawFact]
    public async Task Inbound_Stream_IsShownWhileItGrowsAndThenUnderTheSameId()
    {
        await using var bridge = await lab.BridgeAsync();
        await StreamedAsync(bridge, "sina", "ask:shown-live", "shown-1");
        var push = await bridge.PushAsync("sina");
        Assert.Equal("answer to shown-live", (string?)push["message"]!["msg"]);
        var partials = bridge.Partials.Where(partial => (string?)partial["message"]!["userId"] == "sina").ToList();
        Assert.NotEmpty(partials);
        // Whatever the gateway made of it, a client that follows the rules shows the final text before the final message comes.
        var shown = "";
        foreach (var partial in partials)
        {
            Assert.Equal((string?)push["streamId"], (string?)partial["streamId"]);
            Assert.Equal("shown-1", (string?)partial["replyToId"]);
            Assert.True((bool?)partial["replace"] == true || (int)partial["offset"]! == shown.Length, partial.ToJsonString());
            shown = ((bool?)partial["replace"] == true ? "" : shown) + (string)partial["delta"]!;
        }

        Assert.Equal("answer to shown-live", shown);
        // Who doesn't ask isn't shown anything.
        await bridge.AcceptedAsync("sina", "ask:not-shown", "shown-2");
        Assert.Null((await bridge.PushAsync("sina"))["streamId"]);
        Assert.Equal(partials.Count, bridge.Partials.Count(partial => (string?)partial["message"]!["userId"] == "sina"));
    }

    [OpenClawFact]
    public async Task OpenResponses_ModelOpenClaw_IsAnsweredByTheGatewaysAgent()
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(90) };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(lab.Host.Url, "/v1/responses"));
        request.Headers.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", lab.Host.Token);
        request.Content = new StringContent("""{"model":"openclaw","input":"please ask:through-the-door","stream":true}""", Encoding.UTF8, "application/json");
        using var response = await http.SendAsync(request);
        var stream = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, stream);
        Assert.Contains("event: response.output_text.delta", stream, StringComparison.Ordinal);
        var completed = stream.Split('\n').Single(line => line.StartsWith("data: {\"type\":\"response.completed\"", StringComparison.Ordinal));
        Assert.Contains("\"text\":\"answer to through-the-door\"", completed, StringComparison.Ordinal);
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
    public async Task Accounts_SameUserOnTwo_AreTwoConversations()
    {
        await using var primary = await lab.BridgeAsync();
        await using var shop = await lab.BridgeAsync("shop");
        await primary.AcceptedAsync("lena", "ask:of-primary", "accounts-1");
        await shop.AcceptedAsync("lena", "ask:of-shop", "accounts-1");
        Assert.Equal("answer to of-primary", (string?)(await primary.PushAsync("lena"))["message"]!["msg"]);
        Assert.Equal("answer to of-shop", (string?)(await shop.PushAsync("lena"))["message"]!["msg"]);
        Assert.False(primary.HasPush("lena"));
        Assert.False(shop.HasPush("lena"));

        await SentAsync(primary, "Bncr:interop:lena", "for the shop", "accounts-send", "shop");
        Assert.Equal("for the shop", (string?)(await shop.PushAsync("lena"))["message"]!["msg"]);
    }

    /// <summary>
    /// Guards against a word that stops a turn and waits in the session's line behind that very turn. Sofie is the gateway's command owner: once there is
    /// one, and the first approved pairing makes one, nobody else's /stop is a command.
    /// </summary>
    [OpenClawFact]
    public async Task Stop_FromAnotherAccountOfTheSession_PassesItsLine()
    {
        await using var primary = await lab.BridgeAsync();
        await using var shop = await lab.BridgeAsync("shop");
        var hold = lab.Model.Hold("without-end");
        await primary.AcceptedAsync("sofie", "ask:without-end", "stop-1");
        await lab.Model.AskedAsync("without-end");
        await shop.AcceptedAsync("sofie", "/stop", "stop-2");
        await lab.Model.GivenUpAsync("without-end");
        hold.TrySetResult();
        await primary.AcceptedAsync("sofie", "ask:goes-on", "stop-3");
        string answer;
        do answer = (string)(await primary.PushAsync("sofie"))["message"]!["msg"]!;
        while (answer != "answer to goes-on");
    }

    /// <summary>Guards the session's line: a /stop that isn't a command for the gateway must wait there like any other text, not end up beside a running turn.</summary>
    [OpenClawFact]
    public async Task Stop_FromSomebodyWhoseCommandsDontCount_WaitsItsTurn()
    {
        await using var bridge = await lab.BridgeAsync();
        var hold = lab.Model.Hold("not-theirs");
        await bridge.AcceptedAsync("theo", "ask:not-theirs", "stop-not-1");
        await lab.Model.AskedAsync("not-theirs");
        await bridge.AcceptedAsync("theo", "/stop", "stop-not-2");
        await bridge.AcceptedAsync("theo", "ask:afterwards", "stop-not-3");
        hold.TrySetResult();
        Assert.Equal("answer to not-theirs", (string?)(await bridge.PushAsync("theo"))["message"]!["msg"]);
        string answer;
        do answer = (string)(await bridge.PushAsync("theo"))["message"]!["msg"]!;
        while (answer != "answer to afterwards");
    }

    /// <summary>Guards the account that is not the last one of its connection: its messages waited for the bridge's next word after a restart of the host.</summary>
    [OpenClawFact]
    public async Task HostRestarted_EveryAccountOfAConnection_GetsItsPushes()
    {
        await using var bridge = await lab.BridgeAsync();
        await IntroduceAsync(bridge, "tina");
        var connected = await bridge.CallAsync("bncr.connect", new JsonObject { ["accountId"] = "shop", ["clientId"] = bridge.ClientId, ["ack"] = true });
        Assert.True((bool)connected["ok"]!, connected.ToJsonString());
        await lab.KillHostAsync();
        await lab.StartHostAsync();
        // Sent once: while the link isn't back the gateway queues it and answers every repeat of its key with the first refusal.
        await SendAsync(bridge, "Bncr:interop:tina", "to the first account", "every-1");
        Assert.Equal("to the first account", (string?)(await bridge.PushAsync("tina"))["message"]!["msg"]);
    }

    [OpenClawFact]
    public async Task Reload_OneAccountChanges_TheLinkAndTheOthersStay()
    {
        await using var bridge = await lab.BridgeAsync();
        await using var reloaded = await lab.BridgeAsync("reloaded");
        Assert.Equal("dm disabled", (string?)(await reloaded.SayAsync("mona", "ask:too-soon", "reload-1"))["payload"]!["reason"]);
        var before = await LinkAsync();
        var log = lab.Gateway.Log.Length;

        var (exit, output) = await lab.Gateway.CommandAsync("config", "set", "channels.bncr.accounts.reloaded.dmPolicy", "open");
        Assert.True(exit == 0, output);
        var number = 1;
        await InteropLab.EventuallyAsync(
            async () => (await reloaded.SayAsync("mona", "ask:after-the-reload", $"reload-{++number}"))["payload"]!.AsObject(), answer => (bool?)answer["accepted"] == true);
        Assert.Equal("answer to after-the-reload", (string?)(await reloaded.PushAsync("mona"))["message"]!["msg"]);

        await bridge.AcceptedAsync("nina", "ask:undisturbed", "reload-other");
        Assert.Equal("answer to undisturbed", (string?)(await bridge.PushAsync("nina"))["message"]!["msg"]);
        Assert.Equal((int)before["established"]!, (int)(await LinkAsync())["established"]!);
        var said = lab.Gateway.Log[log..];
        Assert.DoesNotContain("[Primary]", said, StringComparison.Ordinal);
        Assert.DoesNotContain("connected to the ChannelBridge host", said, StringComparison.Ordinal);
    }

    [OpenClawFact]
    public async Task Inbound_WithAFile_ReachesTheAgent()
    {
        await using var bridge = await lab.BridgeAsync();
        var answer = await bridge.CallAsync("bncr.inbound", new JsonObject
        {
            ["clientId"] = bridge.ClientId,
            ["platform"] = "interop",
            ["userId"] = "olga",
            ["type"] = "file",
            ["msg"] = "ask:with-a-file",
            ["base64"] = Convert.ToBase64String("the words of the file"u8),
            ["mimeType"] = "text/plain",
            ["fileName"] = "words.txt",
            ["msgId"] = "file-1",
        });
        Assert.True((bool?)answer["payload"]?["accepted"], answer.ToJsonString());
        Assert.Equal("answer to with-a-file", (string?)(await bridge.PushAsync("olga"))["message"]!["msg"]);
        Assert.Contains("words", lab.Model.PromptOf("with-a-file"), StringComparison.Ordinal);
    }

    [OpenClawFact]
    public async Task Turn_WithATool_ItsResultComesBeforeTheAnswer()
    {
        await using var bridge = await lab.BridgeAsync();
        await bridge.AcceptedAsync("paul", "ask:tool-please", "tool-1");
        var first = await bridge.PushAsync("paul");
        Assert.Equal("tool", (string?)first["message"]!["kind"]);
        Assert.Equal("tool-1", (string?)first["replyToId"]);
        JsonObject last;
        do last = await bridge.PushAsync("paul");
        while ((string?)last["message"]!["kind"] == "tool");
        Assert.Equal("answer to tool-please", (string?)last["message"]!["msg"]);
    }

    [OpenClawFact]
    public async Task Turn_UnderWay_TypingReachesTheHost()
    {
        await using var bridge = await lab.BridgeAsync();
        var before = (long)(await LinkAsync())["typing"]!;
        await bridge.AcceptedAsync("rosa", "ask:typing", "typing-1");
        await bridge.PushAsync("rosa");
        await InteropLab.EventuallyAsync(LinkAsync, link => (long)link["typing"]! > before);
    }

    [OpenClawFact]
    public async Task Send_EveryTargetForm_ReachesTheSameConversation()
    {
        await using var bridge = await lab.BridgeAsync();
        await IntroduceAsync(bridge, "quentin");
        var accepted = await bridge.AcceptedAsync("quentin", "ask:in-the-group", "forms-1", "club");
        await bridge.PushAsync("quentin");
        var number = 0;
        foreach (var (group, key) in new[] { ("0", "interop:0:quentin"), ("club", "interop:club:quentin") })
        {
            var hex = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(key));
            string[] forms =
            [
                $"Bncr:{key}", $"agent:main:bncr:direct:{hex}", $"agent:main:bncr:group:{hex}", $"agent:main:bncr:direct:{key}", $"agent:main:bncr:direct:{hex}:0",
                $"agent:main:bncr:{hex}:0", $"bncr:{hex}", $"bncr:g-{hex}", $"bncr:{hex}:0", $"bncr:{key}", $"bncr:g-{key}", hex, key,
                .. group == "0" ? (string[])["Bncr:interop:quentin"] : [],
            ];
            foreach (var form in forms)
            {
                var text = $"message {++number} to {form}";
                var sent = await SendAsync(bridge, form, text, $"form-{number}");
                Assert.True((bool)sent["ok"]!, $"{form}: {sent.ToJsonString()}");
                var push = await bridge.PushAsync("quentin");
                Assert.Equal(text, (string?)push["message"]!["msg"]);
                Assert.Equal(group, (string?)push["message"]!["groupId"]);
            }
        }

        Assert.NotNull(accepted["sessionKey"]);
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

    /// <summary>The host's diagnostics of the link.</summary>
    private async Task<JsonObject> LinkAsync()
    {
        await using var operatorClient = await BncrClient.OperatorAsync(lab.Host.WebSocketUrl, lab.Host.Token);
        var answer = await operatorClient.CallAsync("diagnostics", []);
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        return answer["payload"]!["link"]!.DeepClone().AsObject();
    }

    private static async Task StreamedAsync(BncrClient bridge, string user, string text, string id)
    {
        var answer = await bridge.CallAsync("bncr.inbound", new JsonObject
        {
            ["accountId"] = bridge.Account,
            ["clientId"] = bridge.ClientId,
            ["platform"] = "interop",
            ["userId"] = user,
            ["msg"] = text,
            ["msgId"] = id,
            ["stream"] = true,
        });
        Assert.True((bool?)answer["payload"]?["accepted"], answer.ToJsonString());
    }

    private static Task<JsonObject> SendAsync(BncrClient client, string to, string text, string key, string? account = null) => client.CallAsync("send", new JsonObject
    {
        ["channel"] = "bncr",
        ["accountId"] = account ?? "Primary",
        ["to"] = to,
        ["message"] = text,
        ["idempotencyKey"] = key,
    });

    private static async Task<JsonObject> SentAsync(BncrClient client, string to, string text, string key, string? account = null)
    {
        var answer = await SendAsync(client, to, text, key, account);
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        return answer;
    }
}
