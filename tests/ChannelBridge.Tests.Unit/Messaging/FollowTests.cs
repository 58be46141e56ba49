using System.Diagnostics;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>One message can be followed to its end by its ids, also when the host was restarted between its push and its ack.</summary>
public sealed class FollowTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string TraceParent = $"00-{Trace}-00f067aa0ba902b7-01";

    [Fact]
    public async Task AckAfterARestart_ItsLineAndItsSpanNameTheTrace()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "hello") with { TraceParent = TraceParent, ReplyToId = "m1" }, "1");
        var push = (await target.WaitForAsync(1))[0];
        await core.Service.StopAsync();

        var log = new LineLog<Outbox>();
        var again = await new CoreUnderTest(core.Store, time: core.Time, log: log).StartAsync();
        using var ack = new Activity("bncr.ack").Start();
        Assert.Equal(AckResult.Acked, await again.AckAsync(push.Id));
        var line = Assert.Single(log.Lines, text => text.Contains("Ack:", StringComparison.Ordinal));
        foreach (var id in new[] { push.Id.ToString(), "m1", Trace, "acked" }) Assert.Contains(id, line, StringComparison.Ordinal);
        Assert.Equal(Trace, Assert.Single(ack.Links).Context.TraceId.ToHexString());
    }
}
