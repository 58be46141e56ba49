using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Channels.A2A.Push;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.A2A.Channel;

/// <summary>Every change is notified of, and configurations are few and go with their task.</summary>
public sealed class PushBookTests
{
    private const string Configs = "a2a.push." + ServiceLab.Peer;

    [Fact]
    public async Task TwoChanges_ThatAreOwedAtOnce_AreTwoNotifications()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m", push: Push("p"))).Id;
        // The host dies before it has put either of them into the outbox.
        await lab.CommitEndAsync(lab.Accepted.Last(), FinishReason.InputRequired, "What else?");
        await lab.SendAsync("answer", id);
        await lab.CommitEndAsync(lab.Accepted.Last(), replies: "done");
        await lab.Pushes.SettleAllAsync(static (_, _) => { }, CancellationToken.None);

        Assert.Equal(2, lab.Sent.Count);
        Assert.Contains(lab.Sent, message => message.Text.Contains("TASK_STATE_INPUT_REQUIRED", StringComparison.Ordinal));
        Assert.Contains(lab.Sent, message => message.Text.Contains("TASK_STATE_COMPLETED", StringComparison.Ordinal));
        await lab.Pushes.SettleAllAsync(static (_, _) => { }, CancellationToken.None);
        Assert.Equal(2, lab.Sent.Count);
    }

    [Fact]
    public async Task TheLimit_HoldsForAMessageThatContinuesATask_Too()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        for (var i = 0; i < PushBook.MaxPerTask; i++) await lab.Service.SetPushAsync(ServiceLab.Peer, Push($"p{i}") with { TaskId = id }, CancellationToken.None);
        await lab.EndAsync(FinishReason.InputRequired, "What else?");

        Assert.Equal(A2AError.InvalidParams, (await Assert.ThrowsAsync<A2AException>(() => lab.SendAsync("one", id, Push("another")))).Error);
        Assert.Equal(A2AError.InvalidParams, (await Assert.ThrowsAsync<A2AException>(
            () => lab.Service.SetPushAsync(ServiceLab.Peer, Push("another") with { TaskId = id }, CancellationToken.None))).Error);
        Assert.Equal(TaskState.InputRequired, (await lab.GetAsync(id)).Status.State);
        // One of the same id takes the former one's place.
        Assert.Equal(TaskState.Submitted, (await lab.SendAsync("two", id, Push("p3"))).Status.State);
        Assert.Equal(PushBook.MaxPerTask, (await lab.Pushes.ListAsync(ServiceLab.Peer, id, CancellationToken.None)).Count);
    }

    [Fact]
    public async Task Configurations_GoWithTheirTask()
    {
        var lab = new ServiceLab(static options => options.MaxTasksPerPeer = 2);
        for (var i = 0; i < 3; i++)
        {
            await lab.SendAsync($"m-{i}", push: Push("p"));
            await lab.EndAsync(replies: "done");
        }

        // The oldest made room for the third, and took its configuration with it.
        Assert.Equal(2, (await lab.Store.ListRecordsAsync(Configs, null, null, 10)).Count);
        await lab.Book.ForgetAsync(ServiceLab.Peer, CancellationToken.None);
        Assert.Empty(await lab.Store.ListRecordsAsync(Configs, null, null, 10));
    }

    [Fact]
    public async Task Configurations_AreKeptAsLongAsTheirTask_AndNothingIsOwedForEver()
    {
        var time = new ManualTime();
        var lab = new ServiceLab(time: time);
        var id = (await lab.SendAsync("m", push: Push("p"))).Id;
        await lab.CommitEndAsync(lab.Accepted.Last(), replies: "done");
        await lab.Service.SetPushAsync(ServiceLab.Peer, Push("later") with { TaskId = id }, CancellationToken.None);
        Assert.Equal(2, (await lab.Store.ListRecordsAsync(Configs, null, null, 10)).Count);
        time.Advance(lab.Options.Retention - TimeSpan.FromSeconds(1));
        Assert.Equal(2, (await lab.Store.ListRecordsAsync(Configs, null, null, 10)).Count);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Empty(await lab.Store.ListRecordsAsync(Configs, null, null, 10));
        Assert.Null(await lab.Book.FindAsync(ServiceLab.Peer, id, withArtifacts: false, CancellationToken.None));
        Assert.Single(await lab.Store.ListRecordsAsync("a2a.owed", null, null, 10));
        time.Advance(TimeSpan.FromDays(30));
        Assert.Empty(await lab.Store.ListRecordsAsync("a2a.owed", null, null, 10));
    }

    /// <summary>A configuration that is removed while its task ends isn't put back by the end.</summary>
    [Fact]
    public async Task AConfiguration_ThatIsRemovedInTheSameMoment_StaysRemoved()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m", push: Push("p"))).Id;
        var writes = await lab.EndingAsync(lab.Accepted.Last(), replies: "done");
        await lab.Service.DeletePushAsync(ServiceLab.Peer, new PushConfigRequest { TaskId = id, Id = "p" }, CancellationToken.None);
        await lab.Records.WriteAsync(writes);

        Assert.Empty(await lab.Pushes.ListAsync(ServiceLab.Peer, id, CancellationToken.None));
        Assert.Equal(TaskState.Completed, (await lab.GetAsync(id)).Status.State);
    }

    private static PushConfig Push(string id) => new() { Id = id, Url = "https://example.com/" + id };
}
