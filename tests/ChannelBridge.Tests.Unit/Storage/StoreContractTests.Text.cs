using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

/// <content>Text that isn't valid Unicode, or holds NUL, wherever text is stored: the store takes it, mended, and goes on.</content>
public abstract partial class StoreContractTests
{
    // The first half of an emoji, as a cut at a fixed length leaves it; the second half; and NUL.
    private const string Broken = "x\uD83D y\uDE00\0z";
    private const string Mended = "x\uFFFD y\uFFFD\uFFFDz";

    [StoreFact]
    public async Task Text_ThatCannotBeEncoded_IsMendedAndHarmsNobody()
    {
        // As often as it takes a driver to prepare its statements.
        for (var round = 0; round < 8; round++)
        {
            var lane = new LaneKey("bncr", "main", $"{Broken} {round}");
            var inbox = Inbox(lane, (UInt128)round);
            var outbox = Outbox(lane);
            await Store.CommitAsync([inbox, outbox, LogAppend(Broken, "v", once: $"{Broken} {round}")]);
            await Store.CommitAsync(
            [
                new InboxUpdate { LaneId = inbox.LaneId, Ordinal = inbox.Ordinal, State = TurnState.Dead, Error = Broken, At = Start },
                Update(outbox, DeliveryState.Dead, settled: true, error: Broken),
                new RecordPut { Namespace = Broken, Key = $"{Broken} {round}", Value = Bytes("v"), Index = Broken, At = Start },
            ]);
            var stored = (await Store.GetInboxAsync(inbox.Id))!;
            Assert.Equal((Mended, $"{Mended} {round}"), (stored.Error, stored.Lane.SessionKey));
            Assert.Equal(Mended, (await Store.GetOutboxAsync(outbox.Id))!.Error);
            Assert.Equal($"{Mended} {round}", (await Store.GetRecordAsync(Broken, $"{Broken} {round}"))!.Key);
            Assert.Equal(round + 1, (await Store.ListRecordsAsync(Mended, Broken, null, 100)).Count);
            Assert.True((await CommitAsync(LogAppend(Mended, "v", once: $"{Mended} {round}"))).Duplicate);
            Assert.Equal(round + 1, (await Store.QueryOutboxAsync(new OutboxQuery { Error = Broken })).Count);
            await Store.ProbeAsync(CancellationToken.None);
        }

        await ReopenAsync();
        Assert.Equal(2, (await CommitAsync(Outbox(new LaneKey("bncr", "main", $"{Mended} 0")))).Seq);
        Assert.Equal(3, (await CommitAsync(Outbox(new LaneKey("bncr", "main", "x\uD83C y\uDE01\0z 0")))).Seq);
    }
}
