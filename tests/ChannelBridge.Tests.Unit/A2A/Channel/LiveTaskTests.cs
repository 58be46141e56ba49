using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.A2A.Channel;

/// <summary>Streams of a task end with it, whenever they begin and whatever becomes of the commit that ends it; and they tell nothing that isn't so.</summary>
public sealed class LiveTaskTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task AStreamThatBegins_WhileItsTaskEnds_EndsWithIt()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        var turn = lab.Accepted.Single();
        // The record was read, and isn't in its reader's hands yet: then the turn ends.
        lab.Records.AfterRead = async () =>
        {
            await lab.CommitEndAsync(turn, replies: "done");
            lab.Tell(turn);
        };
        var hold = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);

        Assert.Equal(TaskState.Completed, (await hold!.Feed.WaitAsync().WaitAsync(Patience)).Status.State);
        hold.Dispose();
        Assert.Equal(0, lab.Lives.Count);
    }

    /// <summary>As above, but the stream begins between the look at who is to be told and the commit.</summary>
    [Fact]
    public async Task AStreamThatBegins_BetweenTheLastWordAndTheCommit_EndsWithIt()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        var turn = lab.Accepted.Single();
        var writes = await lab.EndingAsync(turn, replies: "done");
        var hold = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);
        var told = hold!.Feed.WaitAsync();
        await lab.Records.WriteAsync(writes);
        lab.Tell(turn);

        Assert.Equal("done", (await told.WaitAsync(Patience)).Artifacts!.Single().Parts.Single().Text);
        hold.Dispose();
    }

    /// <summary>Who waits for the end gets the answer whole, in however many pieces streams have told it.</summary>
    [Fact]
    public async Task AnAnswer_ThatCameInPieces_IsOneInTheTask()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        var turn = lab.Accepted.Single();
        var hold = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);
        var events = hold!.Read();
        var told = hold.Feed.WaitAsync();
        foreach (var piece in new[] { "one ", "two ", "three" }) lab.Lives.OnTurnEvent(ServiceLab.Peer, id, turn, 0, new AgentPartial(piece), repliesAreStatus: false);
        lab.Lives.OnTurnEvent(ServiceLab.Peer, id, turn, 0, new AgentReply("one two three"), repliesAreStatus: false);
        await lab.CommitEndAsync(turn, replies: "one two three");
        lab.Tell(turn);

        Assert.Equal("one two three", (await told.WaitAsync(Patience)).Artifacts!.Single().Parts.Single().Text);
        var pieces = new List<string?>();
        await using (events)
        {
            while (await events.NextAsync(CancellationToken.None) is { } one) pieces.Add(one.Item.ArtifactUpdate?.Artifact.Parts[0].Text);
        }

        Assert.Equal(["one ", "two ", "three", ""], pieces.Where(static text => text is not null));
    }

    [Fact]
    public async Task AnEnd_WhoseCommitFailed_IsNotTold()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        var turn = lab.Accepted.Single();
        var hold = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);
        var events = hold!.Read();
        var told = hold.Feed.WaitAsync();
        lab.Lives.OnTurnEvent(ServiceLab.Peer, id, turn, 0, AgentTyping.Instance, repliesAreStatus: false);
        await lab.EndingAsync(turn, replies: "this was never written");
        lab.Tell(turn);
        // Another host has taken the lane and ends it differently.
        await lab.CommitEndAsync(turn with { Attempt = 2 }, FinishReason.Rejected, "no");
        lab.Tell(turn with { Attempt = 2 });

        Assert.Equal(TaskState.Rejected, (await told.WaitAsync(Patience)).Status.State);
        var states = await StatesAsync(events);
        Assert.DoesNotContain(TaskState.Completed, states);
        Assert.Equal(TaskState.Rejected, states[^1]);
    }

    [Fact]
    public async Task ATaskThatIsGone_EndsItsStreams()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        var turn = lab.Accepted.Single();
        var hold = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);
        await lab.Records.WriteAsync(new RecordDelete { Namespace = "a2a.task." + ServiceLab.Peer, Key = id });
        lab.Tell(turn);

        Assert.Equal(TaskState.Canceled, (await hold!.Feed.WaitAsync().WaitAsync(Patience)).Status.State);
    }

    [Fact]
    public async Task ARecordReadBefore_TakesNothingBack()
    {
        var time = new ManualTime();
        var lab = new ServiceLab(isShared: true, time: time);
        var id = (await lab.SendAsync("m")).Id;
        await lab.EndAsync(FinishReason.InputRequired, "What else?");
        var hold = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);
        var goesOn = new TaskCompletionSource();
        var read = new TaskCompletionSource();
        // The look of the host at another one's doings: it has read that the task asks, and then its peer answers here.
        await time.ArmedAsync(1);
        lab.Records.AfterRead = async () =>
        {
            read.SetResult();
            await goesOn.Task;
        };
        time.Advance(TimeSpan.FromSeconds(1));
        await read.Task.WaitAsync(Patience);
        await lab.SendAsync("more", id);
        var events = hold!.Read();
        goesOn.SetResult();
        await time.ArmedAsync(1);
        await lab.EndAsync(replies: "done");

        Assert.Equal([TaskState.Submitted, TaskState.Completed], (await StatesAsync(events)).Where(static state => state is not TaskState.Working));
    }

    /// <summary>What another host does is told here when its record is looked at.</summary>
    [Fact]
    public async Task WhatAnotherHostWrote_IsTold()
    {
        var time = new ManualTime();
        var lab = new ServiceLab(isShared: true, time: time);
        var id = (await lab.SendAsync("m")).Id;
        var events = await lab.Service.SubscribeAsync(ServiceLab.Peer, new SubscribeRequest { Id = id }, CancellationToken.None);
        var states = StatesAsync(events);
        await time.ArmedAsync(1);
        await lab.CommitEndAsync(lab.Accepted.Single(), replies: "done");
        time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(TaskState.Completed, (await states.WaitAsync(Patience))[^1]);
        Assert.Equal(TaskState.Completed, (await lab.GetAsync(id)).Status.State);
    }

    private static async Task<List<TaskState>> StatesAsync(IA2AEvents events)
    {
        await using var closing = events;
        var states = new List<TaskState>();
        using var timeout = new CancellationTokenSource(Patience);
        while (await events.NextAsync(timeout.Token) is { } one)
        {
            if ((one.Item.Task?.Status ?? one.Item.StatusUpdate?.Status) is { } status) states.Add(status.State);
        }

        return states;
    }
}
