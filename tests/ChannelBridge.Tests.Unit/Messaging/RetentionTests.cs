using System.Text.Json;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Messaging.Receipts;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Dead letters go by age and by count, and never without a word.</summary>
public sealed class RetentionTests
{
    [Fact]
    public async Task TooOld_GoWithALineAndARecordOfEach()
    {
        var (core, dead) = await WithDeadLettersAsync(3, options =>
        {
            options.DeadLetterRetention = TimeSpan.FromDays(2);
            options.SweepInterval = TimeSpan.FromDays(40);
        });
        core.Time.Advance(TimeSpan.FromDays(1));
        await core.Retention.EnforceAsync(CancellationToken.None);
        Assert.Equal(3, core.Outbox.GetBacklog("test", "primary").DeadLetter);
        Assert.Empty(core.Log.Lines);

        core.Time.Advance(TimeSpan.FromDays(1.5));
        await core.Retention.EnforceAsync(CancellationToken.None);
        Assert.Equal(0, core.Outbox.GetBacklog("test", "primary").DeadLetter);
        Assert.DoesNotContain(core.Store.Outbox(), entry => entry.State == DeliveryState.Dead);
        Assert.Contains("Removed 3 dead letters of test/primary", Assert.Single(core.Log.Lines), StringComparison.Ordinal);
        Assert.Equal(dead.Order(), (await AuditAsync(core)).Select(line => line.MessageId).Order());
        Assert.All(await AuditAsync(core), line => Assert.Equal(("discard", "retention (age)", AccountOutbox.FatalAck), (line.Action, line.By, line.Reason)));
    }

    [Fact]
    public async Task TooMany_TheOldestGo()
    {
        var (core, dead) = await WithDeadLettersAsync(7, options => options.DeadLetterCapacity = 4);
        await core.Retention.EnforceAsync(CancellationToken.None);
        Assert.Equal(dead.TakeLast(4).Order(), core.Store.Outbox().Where(entry => entry.State == DeliveryState.Dead).Select(entry => entry.Id.ToString()).Order());
        Assert.Equal(4, core.Outbox.GetBacklog("test", "primary").DeadLetter);
        Assert.Contains("Removed the 3 oldest dead letters of test/primary", Assert.Single(core.Log.Lines), StringComparison.Ordinal);
        Assert.All(await AuditAsync(core), line => Assert.Equal("retention (count)", line.By));
        await core.Retention.EnforceAsync(CancellationToken.None);
        Assert.Single(core.Log.Lines);
    }

    [Fact]
    public async Task Sweep_EnforcesThemFirst()
    {
        var (core, dead) = await WithDeadLettersAsync(2, options => options.DeadLetterRetention = TimeSpan.FromHours(1));
        await InboxTests.AdvanceUntilAsync(core, () => core.Outbox.GetBacklog("test", "primary").DeadLetter == 0, TimeSpan.FromMinutes(80));
        Assert.Equal(dead.Order(), (await AuditAsync(core)).Select(line => line.MessageId).Order());
    }

    private static async Task<(CoreUnderTest Core, List<string> Dead)> WithDeadLettersAsync(int count, Action<MessagingOptions> configure)
    {
        var core = await new CoreUnderTest(configure: configure).StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        var dead = new List<string>();
        for (var number = 0; number < count; number++)
        {
            // Not at the same moment, so that it is known which is the oldest; and by hand, so that no sweep runs meanwhile.
            core.Time.Jump(TimeSpan.FromMilliseconds(5));
            await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", $"bad{number}"), $"bad{number}");
            var item = (await target.WaitForAsync(1))[^1];
            Assert.Equal(AckResult.MovedToDeadLetter, await core.AckAsync(item.Id, ok: false, fatal: true));
            dead.Add(item.Id.ToString());
        }

        core.Detach(target);
        return (core, dead);
    }

    private static async Task<List<AuditLine>> AuditAsync(CoreUnderTest core) =>
        [.. (await core.Store.ListRecordsAsync(DeadLetterAudit.Namespace, null, null, 100)).Select(record =>
            JsonSerializer.Deserialize(record.Value.Span, ReceiptsJson.Default.AuditLine)!)];
}
