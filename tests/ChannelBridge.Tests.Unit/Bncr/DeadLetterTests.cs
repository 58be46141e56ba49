using System.Buffers;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class DeadLetterTests
{
    private const string Key = "agent:main:bncr:direct:6c61623a303a7531"; // lab:0:u1

    [Fact]
    public async Task Inspect_Entries_NewestFirstWithEveryField()
    {
        var bncr = await FilledAsync();
        bncr.Outbox.Backlog = new Backlog(0, 4);
        var answer = await bncr.CallAsync(bncr.Operator(), "bncr.deadLetter.inspect");
        Assert.Equal(["ok", "accountId", "filters", "total", "offset", "limit", "entries", "summary", "now"], answer.AsObject().Select(member => member.Key));
        Assert.Equal(("Primary", 3, 0, 20), ((string?)answer["accountId"], (int)answer["total"]!, (int)answer["offset"]!, (int)answer["limit"]!));
        Assert.Equal("""{"reason":null,"olderThan":null}""", answer["filters"]!.ToJsonString());
        Assert.Equal([3000L, 2000L, 1000L], answer["entries"]!.AsArray().Select(entry => (long)entry!["createdAt"]!));
        var newest = answer["entries"]![0]!;
        Assert.Equal(
            ["messageId", "accountId", "sessionKey", "route", "kind", "createdAt", "retryCount", "lastError", "textPreview"], newest.AsObject().Select(member => member.Key));
        Assert.Equal(
            ("Primary", Key, "Bncr:lab:u1", "text", 10, "push-ack-timeout"),
            ((string?)newest["accountId"], (string?)newest["sessionKey"], (string?)newest["route"], (string?)newest["kind"], (int)newest["retryCount"]!,
                (string?)newest["lastError"]));
        Assert.Equal("the third text that is …", (string?)newest["textPreview"]);
        var summary = answer["summary"]!;
        Assert.Equal(["total", "allAccountsTotal", "sinceStart", "cappedAt", "oldestAt", "newestAt", "topReasons"], summary.AsObject().Select(member => member.Key));
        Assert.Equal((3, 1000, 3000), ((int)summary["total"]!, (int)summary["oldestAt"]!, (int)summary["newestAt"]!));
        Assert.Equal("""[{"reason":"push-ack-timeout","count":2},{"reason":"fatal-ack","count":1}]""", summary["topReasons"]!.ToJsonString());
    }

    [Theory]
    [InlineData(""" "reason":"fatal-ack" """, new[] { 2000L }, 1)]
    [InlineData(""" "olderThan":3000 """, new[] { 2000L, 1000L }, 2)]
    [InlineData(""" "olderThan":"2000" """, new[] { 1000L }, 1)]
    [InlineData(""" "olderThan":"1970-01-01T00:00:02.500Z" """, new[] { 2000L, 1000L }, 2)]
    [InlineData(""" "olderThan":" ","reason":"" """, new[] { 3000L, 2000L, 1000L }, 3)]
    [InlineData(""" "limit":1,"offset":1 """, new[] { 2000L }, 3)]
    [InlineData(""" "limit":0 """, new long[0], 3)]
    [InlineData(""" "accountId":"SHOP" """, new[] { 4000L }, 1)]
    [InlineData(""" "accountId":"nobody" """, new long[0], 0)]
    public async Task Inspect_Filters_AreApplied(string members, long[] expected, int total)
    {
        var bncr = await FilledAsync();
        var answer = await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.inspect", members);
        Assert.Equal(expected, answer["entries"]!.AsArray().Select(entry => (long)entry!["createdAt"]!));
        Assert.Equal(total, (int)answer["total"]!);
    }

    [Fact]
    public async Task Prune_WithoutMore_OnlySaysWhatWouldGo()
    {
        var bncr = await FilledAsync();
        var answer = await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.prune", """ "limit":2 """);
        Assert.Equal(
            ["ok", "dryRun", "accountId", "filters", "matched", "pruned", "wouldPrune", "limit", "entries", "summary", "now"], answer.AsObject().Select(member => member.Key));
        Assert.True((bool)answer["dryRun"]!);
        Assert.Equal((3, 0, 2), ((int)answer["matched"]!, (int)answer["pruned"]!, (int)answer["wouldPrune"]!));
        Assert.Equal([1000L, 2000L], answer["entries"]!.AsArray().Select(entry => (long)entry!["createdAt"]!));
        Assert.Equal(3, (int)(await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.inspect"))["total"]!);
    }

    [Fact]
    public async Task Prune_ForReal_TakesTheOldestMatches()
    {
        var bncr = await FilledAsync();
        var answer = await bncr.CallAsync(bncr.Operator(), "bncr.deadLetter.prune", """ "dryRun":false,"olderThan":3000,"limit":1 """);
        Assert.Equal((2, 1, 1), ((int)answer["matched"]!, (int)answer["pruned"]!, (int)answer["summary"]!["total"]! - 1));
        Assert.Equal([1000L], answer["entries"]!.AsArray().Select(entry => (long)entry!["createdAt"]!));
        var left = await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.inspect");
        Assert.Equal([3000L, 2000L], left["entries"]!.AsArray().Select(entry => (long)entry!["createdAt"]!));
        Assert.Equal(1, (int)(await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.inspect", """ "accountId":"shop" """))["total"]!);
    }

    [Theory]
    [InlineData(""" "dryRun":false """)]
    [InlineData(""" "dryRun":false,"olderThan":"   ","reason":" " """)]
    public async Task Prune_ForRealWithoutFilter_IsRefused(string members)
    {
        var bncr = await FilledAsync();
        var error = await bncr.RefusedAsync(bncr.Operator(), "bncr.deadLetter.prune", members);
        Assert.Equal((ErrorCodes.InvalidRequest, "deadLetter-prune-requires-filter"), (error.Code, error.LegacyText));
    }

    [Fact]
    public async Task Prune_ForeignAccount_IsForbidden()
    {
        var bncr = await FilledAsync();
        await bncr.ClientAsync();
        var error = await bncr.RefusedAsync(bncr.Connect(new Caller("stranger", Scopes.All, Door.Listener)), "bncr.deadLetter.prune", """ "dryRun":false,"olderThan":9999 """);
        Assert.Equal(ErrorCodes.Forbidden, error.Code);
        Assert.Equal(3, (int)(await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.inspect"))["total"]!);
    }

    [Theory]
    [InlineData(""" "limit":101 """)]
    [InlineData(""" "limit":-1 """)]
    [InlineData(""" "limit":"x" """)]
    [InlineData(""" "offset":-1 """)]
    [InlineData(""" "olderThan":"yesterday" """)]
    [InlineData(""" "olderThan":-5 """)]
    [InlineData(""" "olderThan":{} """)]
    [InlineData(""" "reason":7 """)]
    public async Task Inspect_Bad_IsRefused(string members)
    {
        var bncr = new BncrUnderTest();
        Assert.Equal(ErrorCodes.InvalidRequest, (await bncr.RefusedAsync(bncr.Connect(), "bncr.deadLetter.inspect", members)).Code);
    }

    [Fact]
    public async Task Inspect_ByAReader_ShowsNoText()
    {
        var bncr = await FilledAsync();
        var scopes = bncr.Channel.Methods.ToDictionary(method => method.Name, method => method.Scope);
        Assert.Equal((Scopes.Read, Scopes.Write), (scopes["bncr.deadLetter.inspect"], scopes["bncr.deadLetter.prune"]));
        var reader = bncr.Connect();
        reader.Caller = reader.Caller with { Scopes = Scopes.Read };
        var answer = await bncr.CallAsync(reader, "bncr.deadLetter.inspect");
        Assert.All(answer["entries"]!.AsArray(), entry => Assert.Equal("-", (string?)entry!["textPreview"]));
        // Nor by a bridge, which may write but isn't an operator.
        answer = await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.inspect");
        Assert.All(answer["entries"]!.AsArray(), entry => Assert.Equal("-", (string?)entry!["textPreview"]));
    }

    /// <summary>Guards against a bridge's token that removes for good what only operators may.</summary>
    [Fact]
    public async Task Prune_ForRealByABridge_IsRefusedAndRemovesNothing()
    {
        var bncr = await FilledAsync();
        var error = await bncr.RefusedAsync(bncr.Connect(), "bncr.deadLetter.prune", """ "dryRun":false,"olderThan":9999 """);
        Assert.Equal((ErrorCodes.Forbidden, "admin-required"), (error.Code, (string?)error.Details!["reason"]));
        Assert.Equal(3, (int)(await bncr.CallAsync(bncr.Operator(), "bncr.deadLetter.inspect"))["total"]!);
    }

    /// <summary>Guards against totals that tell a token how it stands with accounts that aren't its own.</summary>
    [Fact]
    public async Task Inspect_ByAnAccountsToken_CountsItsOwnOnly()
    {
        var bncr = await FilledAsync();
        await bncr.ClientAsync(""" "accountId":"shop","clientId":"s" """);
        bncr.Outbox.Backlog = new Backlog(0, 4);
        var mine = bncr.Connect(new Caller("shop", Scopes.Read, Door.Listener) { Accounts = new HashSet<string> { "shop" } });
        var answer = await bncr.CallAsync(mine, "bncr.deadLetter.inspect", """ "accountId":"shop" """);
        Assert.Equal(4, (int)answer["summary"]!["allAccountsTotal"]!);
        Assert.Equal(8, (int)(await bncr.CallAsync(bncr.Operator(), "bncr.deadLetter.inspect"))["summary"]!["allAccountsTotal"]!);
    }

    private static async Task<BncrUnderTest> FilledAsync()
    {
        var bncr = new BncrUnderTest();
        await bncr.Channel.StartAsync(CancellationToken.None);
        await AddAsync("primary", 1000, "the first", "push-ack-timeout");
        await AddAsync("primary", 2000, "the second", "fatal-ack");
        await AddAsync("primary", 3000, "the  third\ntext that is longer than a preview", "push-ack-timeout");
        await AddAsync("shop", 4000, "of the shop", "fatal-ack");
        // Pending ones are none of them.
        await bncr.Store.CommitAsync(Append("primary", 500, "pending"));
        return bncr;

        async Task AddAsync(string account, long at, string text, string reason)
        {
            var append = Append(account, at, text);
            await bncr.Store.CommitAsync(append);
            await bncr.Store.CommitAsync(new OutboxUpdate
            {
                LaneId = append.LaneId,
                Seq = append.Seq,
                State = DeliveryState.Dead,
                Settled = true,
                Attempts = 10,
                Error = reason,
                At = at,
            });
        }

        OutboxAppend Append(string account, long at, string text)
        {
            var payload = new ArrayBufferWriter<byte>();
            MessageCodec.Write(
                new OutboundMessage { Channel = "bncr", AccountId = account, SessionKey = Key, Route = "lab:0:u1", Text = text }, payload);
            return new OutboxAppend { Lane = new LaneKey("bncr", account, Key), Id = Guid.NewGuid(), At = at, Payload = payload.WrittenMemory.ToArray() };
        }
    }
}
