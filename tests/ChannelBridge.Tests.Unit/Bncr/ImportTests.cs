using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class ImportTests
{
    private const string Key = "agent:main:bncr:direct:6c61623a303a7531"; // lab:0:u1

    private const string State =
        """
        {
          "outbox": [
            {"messageId":"00000000-0000-4000-8000-000000000002","accountId":"Primary","sessionKey":"agent:main:bncr:direct:6c61623a303a7531",
             "route":{"platform":"lab","groupId":"0","userId":"u1"},"createdAt":1700000002000,"retryCount":3,"nextAttemptAt":1,
             "payload":{"type":"message.outbound","replyToId":"m2","message":{"platform":"lab","type":"text","kind":"final","msg":"second","path":"","base64":"","fileName":""}}},
            {"messageId":"00000000-0000-4000-8000-000000000001","accountId":"primary","sessionKey":"bncr:6c61623a303a7531:0",
             "createdAt":1700000001000,"payload":{"message":{"msg":"first"}}},
            {"messageId":"00000000-0000-4000-8000-000000000003","accountId":"shop","sessionKey":"agent:work:bncr:direct:6c61623a303a7531:task:t",
             "createdAt":1700000003000,"payload":{"message":{"type":"image","msg":"","base64":"QUJD","mimeType":"image/png","fileName":"a.png"}}},
            {"messageId":"not-a-uuid","accountId":"shop","sessionKey":"agent:work:bncr:direct:6c61623a303a7531","payload":{"message":{"msg":"a secret"}}},
            {"messageId":"00000000-0000-4000-8000-000000000004","accountId":"shop","sessionKey":"agent:main:main","payload":{"message":{"msg":"x"}}},
            {"messageId":"00000000-0000-4000-8000-000000000005","accountId":"shop","sessionKey":"bncr:6c61623a303a7531"},
            {"messageId":"00000000-0000-4000-8000-000000000006","accountId":"shop","sessionKey":"bncr:6c61623a303a7531","payload":{"message":{"msg":""}}},
            7
          ],
          "deadLetter": [
            {"messageId":"00000000-0000-4000-8000-000000000009","accountId":"Primary","sessionKey":"agent:main:bncr:direct:6c61623a303a7531",
             "createdAt":1600000000000,"retryCount":11,"lastError":"push-retry-limit","payload":{"message":{"msg":"gone"}}}
          ],
          "sessionRoutes": [
            {"sessionKey":"agent:main:bncr:direct:6c61623a303a7531","accountId":"Primary","route":{"platform":"lab","groupId":"0","userId":"u1"},"updatedAt":1700000000000},
            {"sessionKey":"agent:main:bncr:direct:6d783a303a403a61","accountId":"Primary","route":{"platform":"mx","groupId":"0","userId":"@:a"},"updatedAt":1700000000000},
            {"sessionKey":"agent:main:bncr","accountId":"Primary"}
          ],
          "lastSessionByAccount": [], "lastDriftSnapshot": null
        }
        """;

    [Fact]
    public async Task Import_State_TakesQueueDeadLettersAndRoutesOver()
    {
        var store = new MemoryStore();
        var report = await ImportAsync(store, State);
        Assert.Equal((3, 1, 2, 0), (report.Queued, report.DeadLetters, report.Routes, report.Known));
        Assert.Equal(6, report.Skipped.Count);
        Assert.DoesNotContain(report.Skipped, line => line.Contains("secret", StringComparison.Ordinal));

        var lanes = await store.ListPushLanesAsync("bncr", "primary", 0, 10);
        var lane = Assert.Single(lanes);
        Assert.Equal(Key, lane.Key.SessionKey);
        var entries = await store.ReadOutboxAsync(lane.Id, 0, 10, int.MaxValue);
        Assert.Equal(["first", "second"], entries.Select(entry => MessageCodec.ReadOutbound(entry.Payload.Span).Text));
        Assert.Equal(Guid.Parse("00000000-0000-4000-8000-000000000001"), entries[0].Id);
        var second = MessageCodec.ReadOutbound(entries[1].Payload.Span);
        Assert.Equal(("lab:0:u1", "final", "m2", 1700000002000L), (second.Route, second.Kind, second.ReplyToId, entries[1].AcceptedAt));

        var shop = Assert.Single(await store.ListPushLanesAsync("bncr", "shop", 0, 10));
        Assert.Equal(Key.Replace("main", "work", StringComparison.Ordinal) + ":task:t", shop.Key.SessionKey);
        var image = MessageCodec.ReadOutbound((await store.ReadOutboxAsync(shop.Id, 0, 10, int.MaxValue))[0].Payload.Span);
        Assert.Equal(("image", "a.png", "ABC"), (image.Type, image.Attachment!.FileName, Encoding.ASCII.GetString(image.Attachment.Content!)));

        var dead = (await store.GetOutboxAsync(Guid.Parse("00000000-0000-4000-8000-000000000009")))!;
        Assert.Equal((DeliveryState.Dead, true, "push-retry-limit", 11), (dead.State, dead.Settled, dead.Error, dead.Attempts));
        Assert.Equal("gone", MessageCodec.ReadOutbound(dead.Payload.Span).Text);
    }

    [Fact]
    public async Task Import_Twice_WritesNothingTwice()
    {
        var store = new MemoryStore();
        await ImportAsync(store, State);
        Assert.Equal(4, (await ImportAsync(store, State)).Known);
        var counts = (await store.CountAsync()).Single(count => count.Account == "primary");
        Assert.Equal((2, 1), (counts.OutboxPending, counts.OutboxDead));
    }

    [Fact]
    public async Task Import_CutOffBetweenAppendAndBurial_IsFinishedByTheNext()
    {
        var store = new MemoryStore();
        store.BeforeCommit = batch => batch.Any(write => write is OutboxUpdate) ? throw new BridgeException(ErrorCodes.StoreFull, "full") : Task.CompletedTask;
        await Assert.ThrowsAsync<BridgeException>(() => ImportAsync(store, State));
        store.BeforeCommit = null;
        await ImportAsync(store, State);
        Assert.Equal(DeliveryState.Dead, (await store.GetOutboxAsync(Guid.Parse("00000000-0000-4000-8000-000000000009")))!.State);
    }

    [Fact]
    public async Task Import_Routes_MakeTargetsKnown()
    {
        var store = new MemoryStore();
        await ImportAsync(store, State);
        var bncr = new BncrUnderTest(store: store);
        await bncr.Channel.StartAsync(CancellationToken.None);
        Assert.Contains(bncr.Channel.GetAccounts(), account => account.AccountId == "shop");
        Assert.Equal(Key, (await bncr.Channel.ResolveTargetAsync("", "Bncr:lab:u1", CancellationToken.None)).SessionKey);
        Assert.Equal("mx:0:@:a", (await bncr.Channel.ResolveTargetAsync("", "Bncr:mx:0:@:a", CancellationToken.None)).Route);
    }

    [Fact]
    public async Task Import_DryRun_WritesNothing()
    {
        var store = new MemoryStore { BeforeCommit = _ => throw new InvalidOperationException("a dry run writes") };
        var report = await new BncrStateImporter(store, new MessageImport(store, new ManualTime()), new ManualTime())
            .ImportAsync(new MemoryStream(Encoding.UTF8.GetBytes(State)), dryRun: true);
        Assert.Equal((3, 1, 2), (report.Queued, report.DeadLetters, report.Routes));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"outbox":[""")]
    public async Task Import_OtherFile_IsRefused(string json) =>
        Assert.Equal(ErrorCodes.InvalidRequest, (await Assert.ThrowsAsync<BridgeException>(() => ImportAsync(new MemoryStore(), json))).Code);

    private static Task<BncrImportReport> ImportAsync(IStore store, string json) =>
        new BncrStateImporter(store, new MessageImport(store, new ManualTime()), new ManualTime()).ImportAsync(new MemoryStream(Encoding.UTF8.GetBytes(json)));
}
