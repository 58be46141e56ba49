using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class AckTests
{
    private static readonly Guid Id = Guid.Parse("0f8fad5b-d9cb-469f-a165-70867728950e");

    [Theory]
    [InlineData("", AckResult.Acked, """{"ok":true}""")]
    [InlineData(""","ok":true""", AckResult.Acked, """{"ok":true}""")]
    [InlineData(""","ok":false,"error":"rate limited" """, AckResult.WillRetry, """{"ok":true,"willRetry":true}""")]
    [InlineData(""","ok":false,"fatal":true""", AckResult.MovedToDeadLetter, """{"ok":true,"movedToDeadLetter":true}""")]
    [InlineData("", AckResult.AlreadyAckedOrMissing, """{"ok":true,"message":"already-acked-or-missing"}""")]
    public async Task Ack_Result_IsTold(string members, AckResult result, string expected)
    {
        var bncr = new BncrUnderTest();
        var (connection, _, _) = await bncr.ClientAsync();
        bncr.Outbox.Result = result;
        Assert.Equal(expected, (await bncr.CallAsync(connection, "bncr.ack", $""" "messageId":"{Id}"{members}""")).ToJsonString());
        Assert.True(bncr.Outbox.Acks.TryDequeue(out var ack));
        Assert.Equal((Id, "bncr", "Primary"), (ack.Id, ack.Channel, ack.AccountId));
    }

    [Fact]
    public async Task Ack_EveryMember_ReachesTheOutbox()
    {
        var bncr = new BncrUnderTest();
        var (connection, _, _) = await bncr.ClientAsync();
        await bncr.CallAsync(connection, "bncr.ack", $""" "messageId":"{Id}","ok":false,"fatal":false,"error":"slow down","retryAfterMs":2500,"delivered":true""");
        Assert.True(bncr.Outbox.Acks.TryDequeue(out var ack));
        Assert.Equal(new Ack(Id, "bncr", "Primary", false, false, true, "slow down", TimeSpan.FromMilliseconds(2500)), ack);
    }

    [Fact]
    public async Task Ack_UnknownFormOfId_IsMissing()
    {
        var bncr = new BncrUnderTest();
        var answer = await bncr.CallAsync(bncr.Connect(), "bncr.ack", """ "messageId":"msg-1" """);
        Assert.Equal("already-acked-or-missing", (string?)answer["message"]);
        Assert.Empty(bncr.Outbox.Acks);
    }

    [Theory]
    [InlineData("", "missing-message-id", "messageId required")]
    [InlineData(""" "messageId":" " """, "missing-message-id", "messageId required")]
    [InlineData(""" "messageId":"x","ok":false,"retryAfterMs":-1 """, "invalid-retry-after", null)]
    [InlineData(""" "messageId":"x","ok":false,"retryAfterMs":86400001 """, "invalid-retry-after", null)]
    public async Task Ack_Bad_IsRefusedWithAReason(string members, string reason, string? legacy)
    {
        var bncr = new BncrUnderTest();
        var error = await bncr.RefusedAsync(bncr.Connect(), "bncr.ack", members);
        Assert.Equal((ErrorCodes.InvalidRequest, reason, legacy), (error.Code, (string?)error.Details!["reason"], error.LegacyText));
    }

    [Theory]
    [InlineData(""" "messageId":7 """)]
    [InlineData(""" "messageId":"x","ok":"no" """)]
    [InlineData(""" "messageId":"x","retryAfterMs":"1s" """)]
    public async Task Ack_WrongTypes_AreRefused(string members)
    {
        var bncr = new BncrUnderTest();
        Assert.Equal(ErrorCodes.InvalidRequest, (await bncr.RefusedAsync(bncr.Connect(), "bncr.ack", members)).Code);
    }

    [Fact]
    public async Task Ack_ForeignAccount_IsAMismatch()
    {
        var bncr = new BncrUnderTest();
        var (connection, _, target) = await bncr.ClientAsync();
        bncr.Outbox.Result = AckResult.AccountMismatch;
        var fromStore = await bncr.RefusedAsync(connection, "bncr.ack", $""" "messageId":"{Id}","accountId":"other" """);
        Assert.Equal((ErrorCodes.Forbidden, "account mismatch"), (fromStore.Code, fromStore.LegacyText));
        await target.PushAsync(BncrUnderTest.Item(id: Id), CancellationToken.None);
        var known = await bncr.RefusedAsync(connection, "bncr.ack", $""" "messageId":"{Id}","accountId":"other" """);
        Assert.Equal("account mismatch", known.LegacyText);
        Assert.Single(bncr.Outbox.Acks);
    }

    [Fact]
    public async Task Ack_ByAStranger_IsForbiddenAlsoWhenTheOwnerIsGone()
    {
        var bncr = new BncrUnderTest();
        var (owner, _, target) = await bncr.ClientAsync();
        await target.PushAsync(BncrUnderTest.Item(id: Id), CancellationToken.None);
        var stranger = bncr.Connect("stranger");
        Assert.Equal(ErrorCodes.Forbidden, (await bncr.RefusedAsync(stranger, "bncr.ack", $""" "messageId":"{Id}" """)).Code);
        Assert.Equal(ErrorCodes.Forbidden, (await bncr.RefusedAsync(bncr.Connect("first", Door.Gateway), "bncr.ack", $""" "messageId":"{Id}" """)).Code);
        owner.Close();
        Assert.Equal(ErrorCodes.Forbidden, (await bncr.RefusedAsync(stranger, "bncr.ack", $""" "messageId":"{Id}" """)).Code);
        Assert.Empty(bncr.Outbox.Acks);
    }

    [Fact]
    public async Task Ack_UnderAStaleLease_CountsOnlyFromWhereItWasLastPushed()
    {
        var bncr = new BncrUnderTest();
        var (old, first, oldTarget) = await bncr.ClientAsync();
        await oldTarget.PushAsync(BncrUnderTest.Item(id: Id), CancellationToken.None);
        var (_, _, newTarget) = await bncr.ClientAsync();
        var stale = $""" "messageId":"{Id}","leaseId":"{first["leaseId"]}","connectionEpoch":{first["connectionEpoch"]} """;
        Assert.Equal("""{"ok":true,"stale":true,"staleAccepted":true}""", (await bncr.CallAsync(old, "bncr.ack", stale)).ToJsonString());

        await newTarget.PushAsync(BncrUnderTest.Item(id: Id), CancellationToken.None);
        Assert.Equal("""{"ok":true,"accepted":false,"stale":true,"ignored":true}""", (await bncr.CallAsync(old, "bncr.ack", stale)).ToJsonString());
        Assert.Single(bncr.Outbox.Acks);
    }

    [Fact]
    public async Task Waiters_CountPushesWithoutTheirAck()
    {
        var bncr = new BncrUnderTest();
        bncr.Outbox.Backlog = new Backlog(5, 0);
        var (connection, _, target) = await bncr.ClientAsync(""" "ack":true """);
        var ids = new[] { Guid.NewGuid(), Guid.NewGuid() };
        foreach (var id in ids) await target.PushAsync(BncrUnderTest.Item(id: id), CancellationToken.None);
        await target.PushAsync(BncrUnderTest.Item(id: ids[0]), CancellationToken.None);
        Assert.Equal(2, (int)(await bncr.CallAsync(connection, "bncr.diagnostics"))["waiters"]!["messageAck"]!);
        await bncr.CallAsync(connection, "bncr.ack", $""" "messageId":"{ids[0]}" """);
        Assert.Equal(1, (int)(await bncr.CallAsync(connection, "bncr.diagnostics"))["waiters"]!["messageAck"]!);
        connection.Outcome = ChannelBridge.Abstractions.Connections.PushOutcome.Full;
        await target.PushAsync(BncrUnderTest.Item(), CancellationToken.None);
        Assert.Equal(1, (int)(await bncr.CallAsync(connection, "bncr.diagnostics"))["waiters"]!["messageAck"]!);
        // Expired meanwhile.
        bncr.Outbox.Backlog = default;
        Assert.Equal(0, (int)(await bncr.CallAsync(connection, "bncr.diagnostics"))["waiters"]!["messageAck"]!);
    }
}
