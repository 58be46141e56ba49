using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class ConnectTests
{
    [Fact]
    public async Task Connect_First_AnswersEveryField()
    {
        var bncr = new BncrUnderTest();
        bncr.Outbox.Backlog = new Backlog(3, 1);
        var (_, answer, target) = await bncr.ClientAsync(""" "accountId":"default","clientId":"bridge-1","unknown":{"is":"ignored"} """);

        Assert.Equal(
            [
                "channel", "accountId", "bridgeVersion", "pushEvent", "online", "isPrimary", "activeConnections", "pending", "deadLetter", "diagnostics",
                "runtimeFlags", "waiters", "leaseId", "connectionEpoch", "protocolVersion", "acceptedAt", "serverPid", "bridgeId", "now",
            ],
            answer.AsObject().Select(member => member.Key));
        Assert.Equal("bncr", (string?)answer["channel"]);
        Assert.Equal("Primary", (string?)answer["accountId"]);
        Assert.Equal(2, (int)answer["bridgeVersion"]!);
        Assert.Equal(2, (int)answer["protocolVersion"]!);
        Assert.Equal("bncr.push", (string?)answer["pushEvent"]);
        Assert.True((bool)answer["online"]!);
        Assert.True((bool)answer["isPrimary"]!);
        Assert.Equal(1, (int)answer["activeConnections"]!);
        Assert.Equal(3, (int)answer["pending"]!);
        Assert.Equal(1, (int)answer["deadLetter"]!);
        Assert.Matches("^lease_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", (string)answer["leaseId"]!);
        Assert.Equal(1, (int)answer["connectionEpoch"]!);
        Assert.Equal(Environment.ProcessId, (int)answer["serverPid"]!);
        Assert.Equal(bncr.Time.GetUtcNow().ToUnixTimeMilliseconds(), (long)answer["now"]!);
        Assert.False(target.RequiresAck);
    }

    [Fact]
    public async Task Connect_BeforeItsAnswer_NothingIsAttached()
    {
        var bncr = new BncrUnderTest();
        var early = -1;
        bncr.BeforeAnswer = () => early = bncr.Outbox.Attaches;
        await bncr.ClientAsync();
        Assert.Equal(0, early);
        Assert.Equal(1, bncr.Outbox.Attaches);
    }

    [Fact]
    public async Task Connect_First_AnswersDiagnosticsInThePluginsShape()
    {
        var (_, answer, _) = await new BncrUnderTest().ClientAsync();
        var diagnostics = answer["diagnostics"]!;
        Assert.Equal(["health", "regression", "register", "connection", "protocol", "stale"], diagnostics.AsObject().Select(member => member.Key));
        Assert.True((bool)diagnostics["health"]!["connected"]!);
        Assert.Equal(1, (int)diagnostics["health"]!["connectEvents"]!);
        Assert.True((bool)diagnostics["regression"]!["ok"]!);
        Assert.Equal((string?)answer["bridgeId"], (string?)diagnostics["register"]!["bridgeId"]);
        Assert.Equal((string?)answer["leaseId"], (string?)diagnostics["connection"]!["primaryLeaseId"]);
        Assert.Equal(2, (int)diagnostics["protocol"]!["protocolVersion"]!);
        Assert.Equal(1, (int)diagnostics["protocol"]!["minClientProtocol"]!);
        Assert.True((bool)diagnostics["protocol"]!["features"]!["leaseId"]!);
        Assert.Equal(0, (int)diagnostics["stale"]!["staleAck"]!);
        var flags = answer["runtimeFlags"]!;
        Assert.False((bool)flags["outboundRequireAck"]!);
        Assert.Equal("default", (string?)flags["ackPolicySource"]);
        Assert.Equal(30_000, (int)flags["messageAckTimeoutMs"]!);
        Assert.Equal(30_000, (int)flags["fileAckTimeoutMs"]!);
        Assert.False((bool)flags["debugVerbose"]!);
        Assert.Equal(0, (int)answer["waiters"]!["messageAck"]!);
        Assert.Equal(0, (int)answer["waiters"]!["fileAck"]!);
    }

    [Theory]
    [InlineData(null, "bncr.push")]
    [InlineData("bncr", "bncr.push")]
    [InlineData("plugin.bncr", "plugin.bncr.push")]
    [InlineData("plugin.bncr.", "plugin.bncr.push")]
    public async Task Connect_OwnListener_PushesUnderTheAskedName(string? asked, string expected)
    {
        var bncr = new BncrUnderTest();
        var (connection, answer, target) = await bncr.ClientAsync(asked is null ? "" : $""" "eventPrefix":"{asked}" """);
        Assert.Equal(expected, (string?)answer["pushEvent"]);
        await target.PushAsync(BncrUnderTest.Item(), CancellationToken.None);
        Assert.Equal(expected, (await connection.NextAsync()).Name);
    }

    [Fact]
    public async Task Connect_OwnListener_FollowsTheSettingsPrefix()
    {
        var (_, answer, _) = await new BncrUnderTest(options => options.EventPrefix = "plugin.bncr").ClientAsync();
        Assert.Equal("plugin.bncr.push", (string?)answer["pushEvent"]);
    }

    [Fact]
    public async Task Connect_ThroughTheGateway_AlwaysPushesUnderPlugin()
    {
        var (_, answer, _) = await new BncrUnderTest().ClientAsync(""" "eventPrefix":"bncr" """, door: Door.Gateway);
        Assert.Equal("plugin.bncr.push", (string?)answer["pushEvent"]);
    }

    [Fact]
    public async Task Connect_UnknownPrefix_IsRefused()
    {
        var bncr = new BncrUnderTest();
        var error = await bncr.RefusedAsync(bncr.Connect(), "bncr.connect", """ "eventPrefix":"chat" """);
        Assert.Equal(ErrorCodes.InvalidRequest, error.Code);
        Assert.Equal("event-prefix", (string?)error.Details!["reason"]);
    }

    [Theory]
    [InlineData(""" "accountId":7 """)]
    [InlineData(""" "clientId":{} """)]
    [InlineData(""" "connectionEpoch":"x" """)]
    [InlineData(""" "ack":"yes" """)]
    [InlineData(""" "accountId":"a","accountId":"b" """)]
    [InlineData(""" "accountId":"a|b" """)]
    [InlineData(""" "accountId":"a\u0000b" """)]
    [InlineData(""" "accountId":"\ud800" """)]
    public async Task Connect_WrongTypes_AreRefused(string members)
    {
        var bncr = new BncrUnderTest();
        var error = await bncr.RefusedAsync(bncr.Connect(), "bncr.connect", members);
        Assert.Equal(ErrorCodes.InvalidRequest, error.Code);
        Assert.Equal(0, bncr.Outbox.Attaches);
    }

    [Fact]
    public async Task Connect_AccountBeyondTheToken_IsForbidden()
    {
        var bncr = new BncrUnderTest();
        var connection = bncr.Connect();
        connection.Caller = connection.Caller with { Accounts = new HashSet<string> { "shop" } };
        var error = await bncr.RefusedAsync(connection, "bncr.connect", "");
        Assert.Equal(ErrorCodes.Forbidden, error.Code);
        await bncr.CallAsync(connection, "bncr.connect", """ "accountId":"SHOP" """);
        Assert.Equal(ErrorCodes.Forbidden, (await bncr.RefusedAsync(connection, "bncr.diagnostics", "")).Code);
        Assert.Equal(ErrorCodes.Forbidden, (await bncr.RefusedAsync(connection, "bncr.inbound", BncrUnderTest.Route)).Code);
        Assert.Equal(ErrorCodes.Forbidden, (await bncr.RefusedAsync(connection, "bncr.ack", """ "messageId":"x" """)).Code);
    }

    [Fact]
    public async Task Connect_OtherCase_IsTheSameAccountInItsFirstSpelling()
    {
        var bncr = new BncrUnderTest();
        var (_, first, _) = await bncr.ClientAsync(""" "accountId":"ShopOne" """);
        var (_, second, _) = await bncr.ClientAsync(""" "accountId":"SHOPONE" """);
        Assert.Equal("ShopOne", (string?)first["accountId"]);
        Assert.Equal("ShopOne", (string?)second["accountId"]);
        Assert.Equal(2, (int)second["connectionEpoch"]!);
    }

    [Fact]
    public async Task Connect_AfterARestart_EpochGrowsAndAccountsAreKnown()
    {
        var before = new BncrUnderTest();
        await before.ClientAsync(""" "accountId":"ShopOne" """);
        var after = new BncrUnderTest(store: before.Store);
        await after.Channel.StartAsync(CancellationToken.None);
        Assert.Contains(after.Channel.GetAccounts(), account => account.AccountId == "ShopOne" && !account.Connected);
        var (_, answer, _) = await after.ClientAsync(""" "accountId":"shopone" """);
        Assert.Equal("ShopOne", (string?)answer["accountId"]);
        Assert.Equal(2, (int)answer["connectionEpoch"]!);
        Assert.Equal((string?)answer["bridgeId"], $"channelbridge-{before.Store.StoreId:N}");
    }

    [Fact]
    public async Task Connect_StoreFails_GivesNoLease()
    {
        var bncr = new BncrUnderTest();
        bncr.Store.BeforeCommit = _ => throw new BridgeException(ErrorCodes.StoreUnavailable, "the disk is gone");
        var error = await bncr.RefusedAsync(bncr.Connect(), "bncr.connect", "");
        Assert.Equal(ErrorCodes.StoreUnavailable, error.Code);
        Assert.Equal(0, bncr.Outbox.Attaches);
    }

    [Fact]
    public async Task RequiresAck_Auto_FollowsDeclarationAndHistory()
    {
        var bncr = new BncrUnderTest();
        var (connection, _, target) = await bncr.ClientAsync(""" "clientId":"quiet" """);
        Assert.False(target.RequiresAck);
        await bncr.CallAsync(connection, "bncr.ack", $""" "messageId":"{Guid.NewGuid()}" """);
        Assert.True(target.RequiresAck);

        var restarted = new BncrUnderTest(store: bncr.Store);
        Assert.True((await restarted.ClientAsync(""" "clientId":"quiet" """)).Target.RequiresAck);
        Assert.False((await restarted.ClientAsync(""" "clientId":"other" """)).Target.RequiresAck);
        var (_, answer, declared) = await restarted.ClientAsync(""" "clientId":"declares","ack":true """);
        Assert.True(declared.RequiresAck);
        Assert.True((bool)answer["runtimeFlags"]!["outboundRequireAck"]!);
    }

    [Fact]
    public async Task RequiresAck_UnknownMessage_ProvesNothing()
    {
        var bncr = new BncrUnderTest();
        var (connection, _, target) = await bncr.ClientAsync();
        bncr.Outbox.Result = AckResult.AlreadyAckedOrMissing;
        await bncr.CallAsync(connection, "bncr.ack", $""" "messageId":"{Guid.NewGuid()}" """);
        Assert.False(target.RequiresAck);
    }

    [Theory]
    [InlineData(ChannelBridge.Channels.Bncr.BncrAckMode.True, true)]
    [InlineData(ChannelBridge.Channels.Bncr.BncrAckMode.False, false)]
    public async Task RequiresAck_Setting_Decides(ChannelBridge.Channels.Bncr.BncrAckMode mode, bool expected)
    {
        var (_, answer, target) = await new BncrUnderTest(options => options.OutboundRequireAck = mode).ClientAsync(""" "ack":true """);
        Assert.Equal(expected, target.RequiresAck);
        Assert.Equal(expected, (bool)answer["runtimeFlags"]!["outboundRequireAck"]!);
        Assert.Equal("channel", (string?)answer["runtimeFlags"]!["ackPolicySource"]);
    }

    [Fact]
    public async Task RequiresAck_ThroughTheGateway_FollowsTheGatewaysSettings()
    {
        var bncr = new BncrUnderTest(options => options.OutboundRequireAck = ChannelBridge.Channels.Bncr.BncrAckMode.False);
        bncr.Gateway.Account = new GatewayAccount { AccountId = "Primary", RequireAck = true };
        Assert.True((await bncr.ClientAsync(door: Door.Gateway)).Target.RequiresAck);
    }

    [Fact]
    public async Task Connect_LastCursor_SaysWhatItIsGoodFor()
    {
        var bncr = new BncrUnderTest();
        var append = new ChannelBridge.Abstractions.Storage.OutboxAppend
        {
            Lane = new LaneKey("bncr", "primary", "k"),
            Id = Guid.NewGuid(),
            At = 1,
            Payload = "{}"u8.ToArray(),
        };
        await bncr.Store.CommitAsync(append);
        var (connection, _, target) = await bncr.ClientAsync();
        await target.PushAsync(BncrUnderTest.Item(id: append.Id), CancellationToken.None);
        var cursor = (string)(await connection.NextAsync()).Payload["cursor"]!;

        Assert.Equal("""{"accepted":true}""", await Resume(cursor));
        Assert.Equal("""{"accepted":false,"reason":"cursor-malformed"}""", await Resume("nonsense"));
        var otherStore = new BncrUnderTest();
        var (_, foreign, _) = await otherStore.ClientAsync($""" "lastCursor":{JsonSerializer.Serialize(cursor)} """);
        Assert.Equal("cursor-of-another-store", (string?)foreign["resume"]!["reason"]);
        (_, _, target) = await bncr.ClientAsync(connection: connection);
        await target.PushAsync(BncrUnderTest.Item() with { CreatedAt = 1 }, CancellationToken.None);
        Assert.Equal("""{"accepted":false,"reason":"cursor-too-old"}""", await Resume((string)(await connection.NextAsync()).Payload["cursor"]!));

        // Accepted a moment ago, and yet unknown: the store is a backup of before.
        (_, _, target) = await bncr.ClientAsync(connection: connection);
        await target.PushAsync(BncrUnderTest.Item() with { CreatedAt = bncr.Time.GetUtcNow().ToUnixTimeMilliseconds() - 1000 }, CancellationToken.None);
        Assert.Equal("""{"accepted":false,"reason":"cursor-newer-than-store"}""", await Resume((string)(await connection.NextAsync()).Payload["cursor"]!));

        async Task<string> Resume(string value) =>
            ((JsonNode)(await bncr.ClientAsync($""" "lastCursor":{JsonSerializer.Serialize(value)} """, connection: connection)).Answer["resume"]!).ToJsonString();
    }
}
