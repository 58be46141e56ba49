using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Bncr;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class InboundTests
{
    private const string Key = "agent:main:bncr:direct:6c61623a303a7531"; // lab:0:u1

    [Fact]
    public async Task Inbound_Text_IsAcceptedWithEveryField()
    {
        var bncr = new BncrUnderTest();
        var answer = await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"hello","msgId":"m1" """);
        Assert.Equal($$"""{"accepted":true,"accountId":"Primary","sessionKey":"{{Key}}","msgId":"m1","taskKey":null}""", answer.ToJsonString());
        var message = bncr.Inbox.Last;
        Assert.Equal(("bncr", "Primary", Key, "echo", "lab:0:u1"), (message.Channel, message.AccountId, message.SessionKey, message.Agent, message.Route));
        Assert.Equal(("bridge-1", "Bncr:lab:u1", "m1", "hello", "text"), (message.SenderId, message.Subject, message.MessageId, message.Text, message.Type));
        Assert.False(message.IsGroup);
        Assert.False(message.IsCommand);
        Assert.Equal(Door.Listener, message.Door);
        Assert.Equal(bncr.Time.GetUtcNow().ToUnixTimeMilliseconds(), message.AcceptedAt);
        Assert.Equal(TimeSpan.FromDays(30), bncr.Inbox.Accepted[0].Window);
    }

    [Fact]
    public async Task Inbound_OldBaresMembers_AreFilledWithDefaults()
    {
        var bncr = new BncrUnderTest();
        var answer = await bncr.InboundAsync(
            bncr.Connect(),
            """ "platform":" lab ","groupId":null,"userId":" u1","type":"","msg":"hello","base64":"","path":"","mimeType":"","fileName":"","sessionKey":"","clientId":"c" """);
        Assert.Equal($$"""{"accepted":true,"accountId":"Primary","sessionKey":"{{Key}}","msgId":null,"taskKey":null}""", answer.ToJsonString());
        Assert.Equal(TimeSpan.FromSeconds(2), bncr.Inbox.Accepted[0].Window);
    }

    [Theory]
    [InlineData("big", "Big")]
    [InlineData(" ", "echo")]
    [InlineData("ECHO", "echo")]
    public async Task Inbound_Agent_IsChosenByTheMessage(string named, string answers)
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + $$""","msg":"hello","agent":"{{named}}" """);
        Assert.Equal(answers, bncr.Inbox.Last.Agent);
    }

    [Fact]
    public async Task Inbound_AgentThatNobodyKnows_IsRefusedWithTheNames()
    {
        var bncr = new BncrUnderTest();
        var fault = await Assert.ThrowsAsync<BridgeException>(() => bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"hello","agent":"nobody" """));
        Assert.Equal((ErrorCodes.InvalidRequest, "unknown-agent"), (fault.Code, (string?)fault.Details!["reason"]));
        Assert.Contains("Big, echo, openclaw", fault.Message, StringComparison.Ordinal);
        Assert.Empty(bncr.Inbox.Accepted);
    }

    [Fact]
    public async Task Inbound_AgentThroughTheGateway_IsTheGateways()
    {
        var bncr = new BncrUnderTest();
        var connection = bncr.Connect(door: Door.Gateway);
        await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"hello","agent":"openclaw" """);
        Assert.Equal("openclaw", bncr.Inbox.Last.Agent);
        var fault = await Assert.ThrowsAsync<BridgeException>(() => bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"hello","agent":"echo" """));
        Assert.Equal("agent-of-the-gateway", (string?)fault.Details!["reason"]);
    }

    [Fact]
    public async Task Inbound_Group_IsAGroup()
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","groupId":"g1","msg":"hello" """);
        Assert.True(bncr.Inbox.Last.IsGroup);
        Assert.Equal("lab:g1:u1", bncr.Inbox.Last.Route);
        Assert.StartsWith("agent:main:bncr:direct:", bncr.Inbox.Last.SessionKey, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inbound_SameMsgId_IsADuplicateAndStillAccepted()
    {
        var bncr = new BncrUnderTest();
        var connection = bncr.Connect();
        await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"hello","msgId":"m1" """);
        var again = await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"other text","msgId":"m1","accountId":"PRIMARY" """);
        Assert.Equal(
            $$"""{"accepted":true,"duplicated":true,"accountId":"Primary","sessionKey":"{{Key}}","msgId":"m1","taskKey":null}""", again.ToJsonString());
        Assert.Single(bncr.Inbox.Accepted);
    }

    [Fact]
    public async Task Inbound_DifferentMessages_HaveDifferentKeys()
    {
        var bncr = new BncrUnderTest();
        var connection = bncr.Connect();
        string[] different =
        [
            BncrUnderTest.Route + ""","msg":"hello","msgId":"m1" """,
            BncrUnderTest.Route + ""","msg":"hello","msgId":"m2" """,
            BncrUnderTest.Route + ""","msg":"hello","msgId":"m1","groupId":"g" """,
            BncrUnderTest.Route + ""","msg":"hello","msgId":"m1","accountId":"other" """,
            """ "platform":"lab2","userId":"u1","clientId":"c","msg":"hello","msgId":"m1" """,
            """ "platform":"lab","userId":"u2","clientId":"c","msg":"hello","msgId":"m1" """,
            BncrUnderTest.Route + ""","msg":"hello" """,
            BncrUnderTest.Route + ""","msg":"hello2" """,
            BncrUnderTest.Route + ""","msg":"hello","type":"note" """,
            BncrUnderTest.Route + ""","msg":"hello","base64":"QUJD" """,
            BncrUnderTest.Route + ""","msg":"hello","base64":"QUJE" """,
        ];
        foreach (var members in different) Assert.Null((await bncr.InboundAsync(connection, members))["duplicated"]);
        Assert.Equal(different.Length, bncr.Inbox.Accepted.Select(accepted => accepted.Key).Distinct().Count());
        Assert.True((bool)(await bncr.InboundAsync(connection, different[^1]))["duplicated"]!);
    }

    [Theory]
    [InlineData("#task:Build do it", "build", "do it")]
    [InlineData("/task build do it", "build", "do it")]
    [InlineData("#task:build", "build", "#task:build")]
    public async Task Inbound_TaskPrefix_SplitsTheConversation(string text, string task, string rest)
    {
        var bncr = new BncrUnderTest();
        var answer = await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + $""","msg":{JsonValue.Create(text).ToJsonString()}""");
        Assert.Equal(task, (string?)answer["taskKey"]);
        Assert.Equal($"{Key}:task:{task}", (string?)answer["sessionKey"]);
        Assert.Equal((task, rest), (bncr.Inbox.Last.TaskKey, bncr.Inbox.Last.Text));
    }

    [Theory]
    [InlineData(Key)]
    [InlineData("6c61623a303a7531")]
    [InlineData("agent:main:bncr:group:lab:0:u1")]
    [InlineData("bncr:6C61623a303a7531:0")]
    public async Task Inbound_AgreeingSessionKey_IsTaken(string sessionKey)
    {
        var bncr = new BncrUnderTest();
        var answer = await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + $""","msg":"hi","sessionKey":"{sessionKey}" """);
        Assert.Equal(Key, (string?)answer["sessionKey"]);
    }

    [Fact]
    public async Task Inbound_SessionKeyWithTask_NamesTheTaskUnlessTheTextDoes()
    {
        var bncr = new BncrUnderTest();
        var fromKey = await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + $""","msg":"hi","sessionKey":"{Key}:task:a" """);
        Assert.Equal("a", (string?)fromKey["taskKey"]);
        var fromText = await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + $""","msg":"#task:b hi","sessionKey":"{Key}:task:a" """);
        Assert.Equal($"{Key}:task:b", (string?)fromText["sessionKey"]);
    }

    [Fact]
    public async Task Inbound_Command_IsFlagged()
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"/help" """);
        Assert.True(bncr.Inbox.Last.IsCommand);
        Assert.Equal("/commands", bncr.Inbox.Last.Text);
    }

    [Fact]
    public async Task Inbound_InlineMedia_BecomesAnAttachment()
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(
            bncr.Connect(), BncrUnderTest.Route + ""","type":"image","base64":"iVBORw0KGgo=","mimeType":"image/png","fileName":"../../etc/a\u202Egnp.png" """);
        var file = Assert.Single(bncr.Inbox.Last.Attachments!);
        Assert.Equal(Convert.FromBase64String("iVBORw0KGgo="), file.Content);
        Assert.Equal(("image/png", "agnp.png"), (file.MimeType, file.FileName));
        Assert.Equal(("image", ""), (bncr.Inbox.Last.Type, bncr.Inbox.Last.Text));
    }

    [Fact]
    public async Task Inbound_WithoutClientId_UsesTheOneOfConnect()
    {
        var bncr = new BncrUnderTest();
        var (connection, _, _) = await bncr.ClientAsync(""" "clientId":"from-connect" """);
        await bncr.InboundAsync(connection, """ "platform":"lab","userId":"u1","msg":"hi" """);
        Assert.Equal("from-connect", bncr.Inbox.Last.SenderId);
    }

    public static TheoryData<string, string, string?> BadInput => new()
    {
        { "", "missing-platform", "platform/groupId/userId required" },
        { """ "userId":"u1","clientId":"c","msg":"x" """, "missing-platform", "platform/groupId/userId required" },
        { """ "platform":"lab","clientId":"c","msg":"x" """, "missing-user", "platform/groupId/userId required" },
        { """ "platform":"lab","groupId":"g1","clientId":"c","msg":"x" """, "missing-user", "platform/groupId/userId required" },
        { """ "platform":"lab","userId":"  ","clientId":"c","msg":"x" """, "missing-user", "platform/groupId/userId required" },
        { """ "platform":"lab","userId":"u1","msg":"x" """, "missing-client-id", "clientId required" },
        { """ "platform":"l:b","userId":"u1","clientId":"c","msg":"x" """, "invalid-route", "platform/groupId/userId required" },
        { """ "platform":"lab","userId":"u\u0000","clientId":"c","msg":"x" """, "invalid-route", "platform/groupId/userId required" },
        { """ "platform":"agent","groupId":"main","userId":"bncr","clientId":"c","msg":"x" """, "noise-route", "invalid route" },
        { """ "platform":"bncr","groupId":"6c61","userId":"0","clientId":"c","msg":"x" """, "noise-route", "invalid route" },
        { BncrUnderTest.Route, "empty-message", "msg or base64 required" },
        { BncrUnderTest.Route + ""","msg":"  " """, "empty-message", "msg or base64 required" },
        { BncrUnderTest.Route + ""","msg":"x","base64":"not base64!" """, "invalid-base64", "invalid base64" },
        { BncrUnderTest.Route + ""","msg":"x","base64":"QUI" """, "invalid-base64", "invalid base64" },
        { BncrUnderTest.Route + ""","msg":"x","base64":"data:image/png;base64,QUJD" """, "invalid-base64", "invalid base64" },
        { BncrUnderTest.Route + ""","msg":"x","base64":"QUJD","mimeType":"nonsense" """, "invalid-mime-type", null },
        { BncrUnderTest.Route + ""","msg":"x","path":"/etc/passwd" """, "path-refused", "path not allowed" },
        { BncrUnderTest.Route + ""","msg":"x","path":"/etc/passwd","base64":"QUJD" """, "path-and-base64", null },
        { BncrUnderTest.Route + ""","msg":"x","sessionKey":"agent:main:main" """, "invalid-session-key", "invalid sessionKey" },
        { BncrUnderTest.Route + ""","msg":"x","sessionKey":"agent:main:bncr:direct:6c61623a303a7532" """, "session-key-mismatch", "invalid sessionKey" },
        { BncrUnderTest.Route + ""","msg":"x","sessionKey":"agent:evil:bncr:direct:6c61623a303a7531" """, "session-key-mismatch", "invalid sessionKey" },
        { BncrUnderTest.Route + ""","msg":"x","msgId":"a\u0007" """, "invalid-msgId", null },
        { BncrUnderTest.Route + ""","msg":"x","type":"a\nb" """, "invalid-type", null },
        { """ "platform":"lab","userId":"u1","clientId":"c\u0001","msg":"x" """, "invalid-clientId", null },
        { BncrUnderTest.Route + ""","msg":"x","accountId":"a/b" """, "account-id", null },
    };

    [Theory]
    [MemberData(nameof(BadInput))]
    public async Task Inbound_Bad_IsRefusedWithAReason(string members, string reason, string? legacy)
    {
        var bncr = new BncrUnderTest();
        var error = await bncr.RefusedAsync(bncr.Connect(), "bncr.inbound", members);
        Assert.Equal(reason is "path-refused" ? ErrorCodes.Forbidden : ErrorCodes.InvalidRequest, error.Code);
        Assert.Equal(reason, (string?)error.Details!["reason"]);
        Assert.Equal(legacy, error.LegacyText);
        Assert.False(error.Retryable);
        Assert.Empty(bncr.Inbox.Accepted);
        Assert.Empty(bncr.Outbox.Sent);
    }

    [Theory]
    [InlineData(""" "platform":7,"userId":"u1","clientId":"c","msg":"x" """)]
    [InlineData(""" "platform":"lab","userId":12345,"clientId":"c","msg":"x" """)]
    [InlineData(""" "platform":"lab","groupId":1,"userId":"u1","clientId":"c","msg":"x" """)]
    [InlineData(""" "platform":"lab","userId":"u1","clientId":"c","msg":{"a":1} """)]
    [InlineData(""" "platform":"lab","userId":"u1","clientId":"c","msg":["x"] """)]
    [InlineData(""" "platform":"lab","userId":"u1","clientId":"c","msg":"x","base64":7 """)]
    [InlineData(""" "platform":"lab","userId":"u1","clientId":"c","msg":"x","msgId":7 """)]
    [InlineData(""" "platform":"lab","userId":"u1","clientId":"c","msg":"\ud800" """)]
    [InlineData(""" "platform":"lab","userId":"u1","userId":"u2","clientId":"c","msg":"x" """)]
    public async Task Inbound_WrongTypes_AreRefused(string members)
    {
        var bncr = new BncrUnderTest();
        Assert.Equal(ErrorCodes.InvalidRequest, (await bncr.RefusedAsync(bncr.Connect(), "bncr.inbound", members)).Code);
        Assert.Empty(bncr.Inbox.Accepted);
    }

    [Fact]
    public async Task Inbound_BeyondTheLimits_IsTooLarge()
    {
        var bncr = new BncrUnderTest(options =>
        {
            options.MaxTextLength = 10;
            options.MaxInlineMediaBytes = 9;
        });
        var connection = bncr.Connect();
        Assert.Equal(ErrorCodes.PayloadTooLarge, (await bncr.RefusedAsync(connection, "bncr.inbound", BncrUnderTest.Route + ""","msg":"12345678901" """)).Code);
        Assert.Equal(
            ErrorCodes.PayloadTooLarge,
            (await bncr.RefusedAsync(connection, "bncr.inbound", BncrUnderTest.Route + $""","base64":"{Convert.ToBase64String(new byte[10])}" """)).Code);
        await bncr.InboundAsync(connection, BncrUnderTest.Route + $""","msg":"1234567890","base64":"{Convert.ToBase64String(new byte[9])}" """);
        Assert.Single(bncr.Inbox.Accepted);
    }

    [Fact]
    public async Task Inbound_StoreFails_IsNotAccepted()
    {
        var bncr = new BncrUnderTest();
        bncr.Inbox.Before = () => throw new BridgeException(ErrorCodes.StoreFull, "the disk is full");
        Assert.Equal(ErrorCodes.StoreFull, (await bncr.RefusedAsync(bncr.Connect(), "bncr.inbound", BncrUnderTest.Route + ""","msg":"x" """)).Code);
    }

    [Fact]
    public async Task Inbound_NotYetDurable_IsNotAnswered()
    {
        var bncr = new BncrUnderTest();
        var durable = new TaskCompletionSource();
        bncr.Inbox.Before = () => durable.Task;
        var answer = bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"x" """);
        await bncr.Outbox.AttachedAsync("Primary", "c1");
        Assert.False(answer.IsCompleted);
        durable.SetResult();
        Assert.True((bool)(await answer)["accepted"]!);
    }

    [Fact]
    public async Task Inbound_RouteCannotBeRecorded_IsAcceptedAllTheSame()
    {
        var bncr = new BncrUnderTest();
        bncr.Store.BeforeCommit = _ => throw new BridgeException(ErrorCodes.Busy, "full");
        Assert.True((bool)(await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"x" """))["accepted"]!);
    }

    [Theory]
    [InlineData("off", "", "account disabled")]
    [InlineData("dm", "", "dm disabled")]
    [InlineData("group", ""","groupId":"g1" """, "group disabled")]
    [InlineData("list", "", "dm allowlist blocked")]
    [InlineData("list", ""","groupId":"g1" """, "group allowlist blocked")]
    [InlineData("list", ""","userId":"friend" """, null)]
    [InlineData("list", ""","groupId":"club","userId":"anybody" """, null)]
    [InlineData("list", ""","groupId":"other","userId":"friend" """, "group allowlist blocked")]
    [InlineData("list", ""","accountId":"Open" """, null)]
    public async Task Inbound_OwnDoor_FollowsTheSettings(string setting, string members, string? reason)
    {
        var bncr = new BncrUnderTest(options =>
        {
            if (setting is "off") options.Enabled = false;
            if (setting is "dm") options.DmPolicy = BncrPolicyMode.Disabled;
            if (setting is "group") options.GroupPolicy = BncrPolicyMode.Disabled;
            if (setting is not "list") return;
            options.DmPolicy = options.GroupPolicy = BncrPolicyMode.Allowlist;
            options.AllowFrom = ["Bncr:lab:friend"];
            options.GroupAllowFrom = ["Bncr:lab:club:*"];
            options.Accounts["open"] = new BncrAccountOptions { DmPolicy = BncrPolicyMode.Open };
        });
        var user = members.Contains("userId", StringComparison.Ordinal) ? "" : ""","userId":"u1" """;
        var answer = await bncr.InboundAsync(bncr.Connect(), $""" "platform":"lab","clientId":"c","msg":"x","msgId":"m"{user}{members}""");
        Assert.Equal(reason is null, (bool)answer["accepted"]!);
        Assert.Equal(reason, (string?)answer["reason"]);
        Assert.Equal("m", (string?)answer["msgId"]);
        Assert.Equal(reason is null ? 1 : 0, bncr.Inbox.Accepted.Count);
    }

    [Fact]
    public async Task Inbound_ThroughTheGateway_IsTheGatewaysToDecide()
    {
        var bncr = new BncrUnderTest(options => options.DmPolicy = BncrPolicyMode.Disabled);
        bncr.Gateway.Account = new GatewayAccount { AccountId = "Primary", AgentId = "work" };
        var connection = bncr.Connect(door: Door.Gateway);
        var answer = await bncr.InboundAsync(connection, BncrUnderTest.Route + $""","msg":"/status","sessionKey":"{Key}" """);
        Assert.Equal(Key.Replace("main", "work", StringComparison.Ordinal), (string?)answer["sessionKey"]);
        Assert.Equal(("openclaw", Door.Gateway), (bncr.Inbox.Last.Agent, bncr.Inbox.Last.Door));
        var asked = bncr.Gateway.Asked!;
        Assert.Equal(("bncr", "Primary", "Bncr:lab:u1", "bridge-1", "lab:0:u1"), (asked.Channel, asked.AccountId, asked.Subject, asked.SenderId, asked.ConversationId));
        Assert.True(asked.IsCommand);
        Assert.False(asked.IsGroup);
    }

    [Fact]
    public async Task Inbound_GatewayBlocks_SaysWhy()
    {
        var bncr = new BncrUnderTest();
        bncr.Gateway.Decision = new AdmissionDecision(AdmissionOutcome.Block, "dm allowlist blocked");
        var answer = await bncr.InboundAsync(bncr.Connect(door: Door.Gateway), BncrUnderTest.Route + ""","msg":"x" """);
        Assert.Equal("""{"accepted":false,"accountId":"Primary","msgId":null,"taskKey":null,"reason":"dm allowlist blocked"}""", answer.ToJsonString());
        Assert.Empty(bncr.Inbox.Accepted);
    }

    [Fact]
    public async Task Inbound_GatewayWantsPairing_TellsTheCodeOnce()
    {
        var bncr = new BncrUnderTest();
        bncr.Gateway.Decision = new AdmissionDecision(AdmissionOutcome.Pairing, "pairing required", "Your code is ABCD", "pair/1");
        var connection = bncr.Connect(door: Door.Gateway);
        for (var i = 0; i < 3; i++)
        {
            var answer = await bncr.InboundAsync(connection, BncrUnderTest.Route + $""","msg":"x","msgId":"m{i}" """);
            Assert.Equal("pairing required", (string?)answer["reason"]);
        }

        var (message, key) = Assert.Single(bncr.Outbox.Sent);
        Assert.Equal(("Your code is ABCD", "lab:0:u1", "m0", "pair/1"), (message.Text, message.Route, message.ReplyToId, key));
        Assert.Empty(bncr.Inbox.Accepted);
    }

    [Fact]
    public async Task Inbound_ThroughTheGatewayWithoutALink_IsUnavailable()
    {
        var bncr = new BncrUnderTest(withGateway: false);
        var error = await bncr.RefusedAsync(bncr.Connect(door: Door.Gateway), "bncr.inbound", BncrUnderTest.Route + ""","msg":"x" """);
        Assert.Equal(ErrorCodes.Unavailable, error.Code);
        Assert.True(error.Retryable);
    }

    [Fact]
    public async Task Inbound_MoreAccountsThanAllowed_IsBusy()
    {
        var bncr = new BncrUnderTest(options => options.MaxAccounts = 2);
        await bncr.Channel.StartAsync(CancellationToken.None);
        var connection = bncr.Connect();
        await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"x","accountId":"a" """);
        Assert.Equal(ErrorCodes.Busy, (await bncr.RefusedAsync(connection, "bncr.inbound", BncrUnderTest.Route + ""","msg":"x","accountId":"b" """)).Code);
        await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"y","accountId":"A" """);
    }
}
