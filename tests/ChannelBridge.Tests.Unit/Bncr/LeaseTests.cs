using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Tests.Unit.Bncr.Fakes;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class LeaseTests
{
    private static string Lease(JsonNode answer) =>
        $""" "leaseId":"{answer["leaseId"]}","connectionEpoch":{answer["connectionEpoch"]} """;

    [Fact]
    public async Task Connect_SameToken_TakesOverAndTellsTheOldOne()
    {
        var bncr = new BncrUnderTest();
        var (old, first, oldTarget) = await bncr.ClientAsync(""" "clientId":"a" """);
        var (_, second, _) = await bncr.ClientAsync(""" "clientId":"b" """);
        Assert.True((bool)second["isPrimary"]!);
        Assert.Equal(2, (int)second["activeConnections"]!);
        Assert.Equal((int)first["connectionEpoch"]! + 1, (int)second["connectionEpoch"]!);
        Assert.Contains(oldTarget, bncr.Outbox.Detached);
        Assert.Equal(PushOutcome.Gone, await oldTarget.PushAsync(BncrUnderTest.Item(), CancellationToken.None));

        var (name, told) = await old.NextAsync();
        Assert.Equal("bncr.lease.lost", name);
        Assert.Equal("Primary", (string?)told["accountId"]);
        Assert.Equal((string?)first["leaseId"], (string?)told["leaseId"]);
        Assert.Equal((int)first["connectionEpoch"]!, (int)told["connectionEpoch"]!);
        Assert.Equal("replaced", (string?)told["reason"]);
        Assert.Equal("b", (string?)told["byClientId"]);
    }

    [Fact]
    public async Task Connect_AgainOnTheSameConnection_RenewsItsLeaseSilently()
    {
        var bncr = new BncrUnderTest();
        var (connection, first, _) = await bncr.ClientAsync();
        var (_, second, _) = await bncr.ClientAsync(connection: connection);
        Assert.NotEqual((string?)first["leaseId"], (string?)second["leaseId"]);
        Assert.Equal(1, (int)second["activeConnections"]!);
        Assert.Equal(0, connection.Pushes);
    }

    [Theory]
    [InlineData("stranger", Door.Listener)]
    [InlineData("first", Door.Gateway)]
    [InlineData("local", Door.Local)]
    public async Task Connect_Stranger_CannotTakeOverALivePrimary(string token, Door door)
    {
        var bncr = new BncrUnderTest();
        var (owner, first, target) = await bncr.ClientAsync();
        var error = await bncr.RefusedAsync(bncr.Connect(token, door), "bncr.connect", "");
        Assert.Equal(ErrorCodes.Forbidden, error.Code);
        Assert.Equal("account-held", (string?)error.Details!["reason"]);
        Assert.Equal(PushOutcome.Flushed, await target.PushAsync(BncrUnderTest.Item(), CancellationToken.None));
        Assert.Equal("bncr.push", (await owner.NextAsync()).Name);
        var diagnostics = await bncr.CallAsync(owner, "bncr.diagnostics");
        Assert.Equal((string?)first["leaseId"], (string?)diagnostics["diagnostics"]!["connection"]!["primaryLeaseId"]);
    }

    [Fact]
    public async Task Connect_SameTokenThroughAnotherOwnDoor_TakesOver()
    {
        var bncr = new BncrUnderTest();
        await bncr.ClientAsync();
        Assert.True((bool)(await bncr.ClientAsync(door: Door.Local)).Answer["isPrimary"]!);
    }

    [Fact]
    public async Task Connect_StrangerAfterAnOrderlyClose_MayHaveTheAccount()
    {
        var bncr = new BncrUnderTest();
        var (owner, _, _) = await bncr.ClientAsync();
        owner.Close(orderly: true);
        Assert.True((bool)(await bncr.ClientAsync(token: "stranger")).Answer["isPrimary"]!);
    }

    [Fact]
    public async Task Connect_StrangerAfterACut_WaitsForTheGrace()
    {
        var bncr = new BncrUnderTest();
        var (owner, _, _) = await bncr.ClientAsync();
        owner.Close(orderly: false);
        var stranger = bncr.Connect("stranger");
        var error = await bncr.RefusedAsync(stranger, "bncr.connect", "");
        Assert.Equal(ErrorCodes.Forbidden, error.Code);
        Assert.True(error.Retryable);
        Assert.Equal(TimeSpan.FromSeconds(15), error.RetryAfter);
        // Its inbound is taken (a token may use every account it covers), but it isn't attached.
        await bncr.InboundAsync(stranger, BncrUnderTest.Route + ""","msg":"hi" """);
        Assert.Null(await bncr.Outbox.AttachedAsync("Primary", null));

        bncr.Time.Advance(TimeSpan.FromSeconds(15));
        Assert.True((bool)(await bncr.CallAsync(stranger, "bncr.connect"))["isPrimary"]!);
    }

    [Fact]
    public async Task Connect_OwnerAfterACut_IsBackAtOnce()
    {
        var bncr = new BncrUnderTest();
        var (owner, _, _) = await bncr.ClientAsync();
        owner.Close(orderly: false);
        Assert.True((bool)(await bncr.ClientAsync()).Answer["isPrimary"]!);
    }

    [Fact]
    public async Task Close_OfThePrimary_DetachesAndGivesTheLeaseBackToTheOlder()
    {
        var bncr = new BncrUnderTest();
        var (old, first, oldTarget) = await bncr.ClientAsync();
        var (newer, _, _) = await bncr.ClientAsync();
        Assert.Equal("bncr.lease.lost", (await old.NextAsync()).Name);
        newer.Close();
        Assert.Same(oldTarget, await bncr.Outbox.AttachedAsync("Primary", old.Id));
        var (name, told) = await old.NextAsync();
        Assert.Equal("bncr.lease.regained", name);
        Assert.Equal((string?)first["leaseId"], (string?)told["leaseId"]);
        var activity = await bncr.CallAsync(old, "bncr.activity", Lease(first));
        Assert.Null(activity["stale"]);
        old.Close();
        Assert.Null(await bncr.Outbox.AttachedAsync("Primary", null));
        Assert.False(bncr.Channel.GetAccounts().Single(account => account.AccountId == "Primary").Connected);
    }

    [Fact]
    public async Task Stale_Calls_AreIgnoredAndCounted()
    {
        var bncr = new BncrUnderTest();
        var (old, first, _) = await bncr.ClientAsync();
        var (newer, _, _) = await bncr.ClientAsync();

        var inbound = await bncr.InboundAsync(old, BncrUnderTest.Route + ""","msg":"hi","msgId":"m1",""" + Lease(first));
        Assert.Equal("""{"accepted":false,"accountId":"Primary","msgId":"m1","taskKey":null,"stale":true,"ignored":true}""", inbound.ToJsonString());
        Assert.Empty(bncr.Inbox.Accepted);
        var activity = await bncr.CallAsync(old, "bncr.activity", Lease(first));
        Assert.Equal("""{"accountId":"Primary","ok":true,"event":"activity","accepted":false,"stale":true,"ignored":true}""", activity.ToJsonString());
        var ack = await bncr.CallAsync(old, "bncr.ack", $""" "messageId":"{Guid.NewGuid()}",""" + Lease(first));
        Assert.Equal("""{"ok":true,"accepted":false,"stale":true,"ignored":true}""", ack.ToJsonString());
        Assert.Empty(bncr.Outbox.Acks);
        // Either mark alone is enough to be stale.
        Assert.True((bool)(await bncr.CallAsync(old, "bncr.activity", """ "connectionEpoch":1 """))["stale"]!);
        Assert.True((bool)(await bncr.CallAsync(old, "bncr.activity", """ "leaseId":"lease_x" """))["stale"]!);

        var stale = (await bncr.CallAsync(newer, "bncr.diagnostics"))["diagnostics"]!["stale"]!;
        Assert.Equal(1, (int)stale["staleInbound"]!);
        Assert.Equal(3, (int)stale["staleActivity"]!);
        Assert.Equal(1, (int)stale["staleAck"]!);
        Assert.NotNull(stale["lastStaleAt"]);
    }

    [Fact]
    public async Task NoMarks_AreNeverStale()
    {
        var bncr = new BncrUnderTest();
        var (old, _, _) = await bncr.ClientAsync();
        await bncr.ClientAsync();
        Assert.Null((await bncr.CallAsync(old, "bncr.activity"))["stale"]);
        Assert.True((bool)(await bncr.InboundAsync(old, BncrUnderTest.Route + ""","msg":"hi" """))["accepted"]!);
    }

    [Fact]
    public async Task Inbound_WithoutConnect_MakesThePrimaryWhereThereIsNone()
    {
        var bncr = new BncrUnderTest();
        var minimal = bncr.Connect();
        await bncr.InboundAsync(minimal, BncrUnderTest.Route + ""","msg":"hi" """);
        var target = await bncr.Outbox.AttachedAsync("Primary", minimal.Id);
        await target!.PushAsync(BncrUnderTest.Item(), CancellationToken.None);
        Assert.Equal("bncr.push", (await minimal.NextAsync()).Name);

        var (newer, _, _) = await bncr.ClientAsync();
        await bncr.InboundAsync(minimal, BncrUnderTest.Route + ""","msg":"again" """);
        Assert.Equal(newer.Id, (await bncr.Outbox.AttachedAsync("Primary", newer.Id))!.ConnectionId);
    }

    [Fact]
    public async Task Activity_AfterAHostRestart_AttachesUnderTheOldLease()
    {
        var before = new BncrUnderTest();
        var (connection, answer, _) = await before.ClientAsync();
        var after = new BncrUnderTest(store: before.Store);
        var activity = await after.CallAsync(connection, "bncr.activity", """ "clientId":"bridge-1",""" + Lease(answer));
        Assert.Equal(1, (int)activity["activeConnections"]!);
        await after.Outbox.AttachedAsync("Primary", connection.Id);
        Assert.Null((await after.CallAsync(connection, "bncr.activity", Lease(answer)))["stale"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Activity_AfterAHostRestart_TheNewestLeaseIsPrimaryAgain(bool newestFirst)
    {
        var before = new BncrUnderTest();
        var (old, first, _) = await before.ClientAsync();
        var (newest, second, _) = await before.ClientAsync();
        var after = new BncrUnderTest(store: before.Store);
        (FakeConnection Connection, JsonNode Answer)[] heard = newestFirst ? [(newest, second), (old, first)] : [(old, first), (newest, second)];
        foreach (var (connection, answer) in heard) await after.CallAsync(connection, "bncr.activity", """ "ack":true,""" + Lease(answer));
        Assert.True((await after.Outbox.AttachedAsync("Primary", newest.Id))!.RequiresAck);
        Assert.True((bool)(await after.CallAsync(old, "bncr.activity", Lease(first)))["stale"]!);
        Assert.Null((await after.CallAsync(newest, "bncr.activity", Lease(second)))["stale"]);
    }

    [Fact]
    public async Task Activity_WithAnInventedLease_TakesNothingOver()
    {
        var bncr = new BncrUnderTest();
        var (owner, _, _) = await bncr.ClientAsync();
        var liar = await bncr.CallAsync(bncr.Connect(), "bncr.activity", """ "leaseId":"lease_x","connectionEpoch":999 """);
        Assert.True((bool)liar["stale"]!);
        Assert.Equal(owner.Id, (await bncr.Outbox.AttachedAsync("Primary", owner.Id))!.ConnectionId);
    }

    [Fact]
    public async Task Activity_WakesTheFlush()
    {
        var bncr = new BncrUnderTest();
        bncr.Outbox.Backlog = new ChannelBridge.Abstractions.Messaging.Backlog(2, 0);
        var (connection, _, _) = await bncr.ClientAsync();
        var before = bncr.Outbox.Attaches;
        var activity = await bncr.CallAsync(connection, "bncr.activity", """ "clientId":"bridge-1","reason":"heartbeat" """);
        Assert.Equal(before + 1, bncr.Outbox.Attaches);
        Assert.Equal(["accountId", "ok", "event", "activeConnections", "pending", "deadLetter", "now"], activity.AsObject().Select(member => member.Key));
        Assert.Equal(2, (int)activity["pending"]!);
    }

    [Fact]
    public async Task Connect_ManyAtOnce_ExactlyOneIsPrimaryAndItHasTheHighestEpoch()
    {
        var bncr = new BncrUnderTest();
        var connections = Enumerable.Range(0, 40).Select(_ => bncr.Connect()).ToArray();
        var answers = await Task.WhenAll(connections.Select(connection => Task.Run(() => bncr.CallAsync(connection, "bncr.connect"))));
        var highest = answers.Max(answer => (long)answer["connectionEpoch"]!);
        Assert.Equal(40, answers.Select(answer => (long)answer["connectionEpoch"]!).Distinct().Count());
        var section = (await bncr.CallAsync(connections[0], "bncr.diagnostics"))["diagnostics"]!["connection"]!;
        Assert.Equal(highest, (long)section["primaryEpoch"]!);
        var winner = connections[Array.FindIndex(answers, answer => (long)answer["connectionEpoch"]! == highest)];
        await bncr.Outbox.AttachedAsync("Primary", winner.Id);
    }
}
