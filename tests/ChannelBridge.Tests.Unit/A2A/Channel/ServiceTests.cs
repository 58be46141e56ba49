using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.A2A.Channel;

/// <summary>What peers do at the same moment, and who leaves in the middle, leaves no task half done.</summary>
public sealed class ServiceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task ACancelOfAWaitingTask_IsWholeThoughItsPeerLeaves()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m", push: Push("p"))).Id;
        await lab.EndAsync(FinishReason.InputRequired, "What else?");
        using var gone = new CancellationTokenSource();
        lab.Records.BeforeWrite = writes =>
        {
            if (writes.Any(write => write is RecordPut { Namespace: "a2a.task." + ServiceLab.Peer })) gone.Cancel();
        };

        Assert.Equal(TaskState.Canceled, (await lab.Service.CancelAsync(ServiceLab.Peer, new CancelTaskRequest { Id = id }, gone.Token)).Status.State);
        Assert.Equal(TaskState.Canceled, Assert.Single(await lab.ListedAsync()).State);
        Assert.Contains(lab.Sent, message => message.Text.Contains("TASK_STATE_CANCELED", StringComparison.Ordinal));
        Assert.Empty(await lab.Store.ListRecordsAsync("a2a.owed", null, null, 10));
    }

    [Fact]
    public async Task ACancel_ThatComesTooLate_ChangesNothing()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        await lab.EndAsync(FinishReason.InputRequired, "What else?");
        // Between its look and its commit the peer answers.
        var stored = await lab.Book.FindAsync(ServiceLab.Peer, id, withArtifacts: true, CancellationToken.None);
        await lab.SendAsync("answer", id);

        var canceled = stored! with { Task = stored.Task with { Status = new A2ATaskStatus { State = TaskState.Canceled } } };
        Assert.Null(await lab.Book.ReplaceAsync(stored, canceled, null, CancellationToken.None));
        Assert.Equal(TaskState.Submitted, (await lab.GetAsync(id)).Status.State);
        Assert.Equal(TaskState.Submitted, Assert.Single(await lab.ListedAsync()).State);
    }

    [Fact]
    public async Task ARepeatedMessage_WhoseTaskIsGone_IsTaskNotFound()
    {
        var lab = new ServiceLab();
        await lab.SendAsync("m");
        await lab.EndAsync(replies: "done");
        await lab.Book.ForgetAsync(ServiceLab.Peer, CancellationToken.None);

        var fault = await Assert.ThrowsAsync<A2AException>(() => lab.Service.SendAsync(
            ServiceLab.Peer, ServiceLab.Message("m") with { Configuration = null }, CancellationToken.None).WaitAsync(Patience));
        Assert.Equal(A2AError.TaskNotFound, fault.Error);
        Assert.Equal(0, lab.Lives.Count);
    }

    /// <summary>What such a send costs is its two commits: nothing is read that was just written, and nothing that can't be there.</summary>
    [Fact]
    public async Task ASendThatWaits_ReadsNothing()
    {
        var lab = new ServiceLab();
        var sending = lab.Service.SendAsync(ServiceLab.Peer, ServiceLab.Message("m") with { Configuration = null }, CancellationToken.None);
        await lab.EndAsync(replies: "done");

        Assert.Equal(TaskState.Completed, (await sending.WaitAsync(Patience)).Task!.Status.State);
        Assert.Empty(lab.Records.Reads);
        Assert.Equal("done", (await lab.GetAsync((await sending).Task!.Id)).Artifacts!.Single().Parts.Single().Text);
        Assert.Equal(0, lab.Lives.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ARepeatedMessage_IsAnsweredWithItsTask_AsItIs(bool ended)
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        if (ended) await lab.EndAsync(replies: "done");
        var again = await lab.SendAsync("m");
        Assert.Equal((id, ended ? TaskState.Completed : TaskState.Submitted), (again.Id, again.Status.State));
        // It is the first one's in everything, the conversation's name among it.
        Assert.Equal((await lab.GetAsync(id)).ContextId, again.ContextId);
        Assert.Single(lab.Accepted);
        Assert.Single(await lab.ListedAsync());
        if (!ended) await lab.EndAsync(replies: "done");
        Assert.Equal("done", (await lab.SendAsync("m")).Artifacts!.Single().Parts.Single().Text);
        Assert.Equal(0, lab.Lives.Count);
    }

    /// <summary>The inbox forgets a message after a month; a task may wait for its peer for longer.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AMessage_ThatTheInboxHasForgotten_IsStillItsTask(bool restarted)
    {
        var time = new ManualTime();
        var lab = new ServiceLab(time: time);
        var id = (await lab.SendAsync("m")).Id;
        await lab.EndAsync(FinishReason.InputRequired, "What else?");
        time.Advance(TimeSpan.FromDays(31));
        if (restarted)
        {
            lab = new ServiceLab(time: time, store: lab.Store);
            await lab.Book.LoadAsync(CancellationToken.None);
        }

        var again = await lab.SendAsync("m");
        Assert.Equal((id, TaskState.InputRequired), (again.Id, again.Status.State));
        await lab.SendAsync("answer", id);
        await lab.EndAsync(replies: "done");
        // Also when it has ended, and the host has started since.
        lab = new ServiceLab(time: time, store: lab.Store);
        await lab.Book.LoadAsync(CancellationToken.None);
        Assert.Equal(TaskState.Completed, (await lab.SendAsync("m")).Status.State);
        Assert.Single(await lab.ListedAsync());
    }

    /// <summary>Nobody asks for push configurations of a peer that has none; one from before the start is known.</summary>
    [Fact]
    public async Task APushConfiguration_FromBeforeTheStart_IsToldOfTheEnd()
    {
        var first = new ServiceLab();
        await first.SendAsync("m", push: new PushConfig { Id = "p", Url = "https://example.com/p" });
        var lab = new ServiceLab(store: first.Store);
        await lab.Book.LoadAsync(CancellationToken.None);
        var turn = first.Accepted.Single();
        await lab.CommitEndAsync(turn, replies: "done");
        await lab.Pushes.SettleAsync(ServiceLab.Peer, turn.Message.Route, CancellationToken.None);
        Assert.Single(lab.Sent);
    }

    [Theory]
    [InlineData(ErrorCodes.StoreReadOnly)]
    [InlineData(ErrorCodes.StoreFull)]
    public async Task AStoreThatTakesNothing_IsTold_AndThereIsNoTask(string code)
    {
        var lab = new ServiceLab { BeforeAccept = _ => throw new BridgeException(code, "nothing was written") { Retryable = true, RetryAfter = TimeSpan.FromSeconds(5) } };
        var fault = await Assert.ThrowsAsync<A2AException>(() => lab.SendAsync("m"));
        Assert.Equal((A2AError.Internal, code, true, TimeSpan.FromSeconds(5)), (fault.Error, fault.Code, fault.Retryable, fault.RetryAfter));
        Assert.Empty(await lab.ListedAsync());
        Assert.Equal((0, 0), (lab.Lives.Count, lab.Book.Total));
        lab.BeforeAccept = null;
        Assert.Equal(TaskState.Submitted, (await lab.SendAsync("m")).Status.State);
    }

    [Fact]
    public async Task TwoMessagesForOneTask_AtOnce_OneGoesOnAndTheOtherIsTold()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        await lab.EndAsync(FinishReason.InputRequired, "What else?");
        var (inside, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        lab.BeforeAccept = _ =>
        {
            inside.TrySetResult();
            return go.Task;
        };
        var first = lab.SendAsync("one", id);
        await inside.Task.WaitAsync(Patience);
        var second = lab.SendAsync("two", id);
        // And one that only repeats the first.
        var again = lab.SendAsync("one", id);
        go.SetResult();

        Assert.Equal(id, (await first.WaitAsync(Patience)).Id);
        Assert.Equal(id, (await again.WaitAsync(Patience)).Id);
        Assert.Equal(A2AError.UnsupportedOperation, (await Assert.ThrowsAsync<A2AException>(() => second.WaitAsync(Patience))).Error);
        Assert.Equal(2, lab.Accepted.Count);
        Assert.Equal(["m", "one"], (await lab.GetAsync(id)).History!.Where(static said => said.Role is MessageRole.User).Select(static said => said.MessageId));
    }

    [Fact]
    public async Task AMessageForATask_ThatAnotherHostHolds_IsBusy()
    {
        var time = new ManualTime();
        var lab = new ServiceLab(time: time);
        var id = (await lab.SendAsync("m")).Id;
        await lab.EndAsync(FinishReason.InputRequired, "What else?");
        var stored = await lab.Book.FindAsync(ServiceLab.Peer, id, withArtifacts: true, CancellationToken.None);
        Assert.NotNull(await lab.Book.HoldForAsync(stored!, "of another host", CancellationToken.None));
        var sending = lab.SendAsync("mine", id);
        for (var step = 0; !sending.IsCompleted && step < 251; step++)
        {
            await Task.WhenAny(time.ArmedAsync(1), sending).WaitAsync(Patience);
            time.Advance(TimeSpan.FromMilliseconds(20));
        }

        var fault = await Assert.ThrowsAsync<A2AException>(() => sending.WaitAsync(Patience));
        Assert.Equal((ErrorCodes.Busy, true), (fault.Code, fault.Retryable));
        // A host that died in between doesn't hold it for ever.
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(TaskState.Submitted, (await lab.SendAsync("mine", id).WaitAsync(Patience)).Status.State);
    }

    /// <summary>A message that took far too long into the inbox: its task went on with another one, or is about to.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AMessage_WhoseTaskWasTakenMeanwhile_IsToldAndLeavesNothingBehind(bool goesOn)
    {
        var time = new ManualTime();
        var lab = new ServiceLab(time: time);
        var id = (await lab.SendAsync("m")).Id;
        var result = new string('x', 20_000);
        await lab.EndAsync(FinishReason.InputRequired, result, "What else?");
        var (inside, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        lab.BeforeAccept = message =>
        {
            if (message.MessageId != "slow") return Task.CompletedTask;
            inside.TrySetResult();
            return go.Task;
        };
        var slow = lab.SendAsync("slow", id);
        await inside.Task.WaitAsync(Patience);
        time.Advance(TimeSpan.FromMinutes(1));
        if (goesOn) await lab.SendAsync("quick", id).WaitAsync(Patience);
        else Assert.NotNull(await lab.Book.HoldForAsync((await lab.Book.FindAsync(ServiceLab.Peer, id, withArtifacts: true, default))!, "quick", default));
        time.Advance(TimeSpan.FromSeconds(1));
        go.SetResult();

        Assert.Equal(ErrorCodes.Busy, (await Assert.ThrowsAsync<A2AException>(() => slow.WaitAsync(Patience))).Code);
        var dropped = lab.Accepted.Single(static turn => turn.Message.MessageId == "slow");
        Assert.Equal([dropped.Id], lab.Cancelled);
        // Its turn, when it is ended, ends nothing.
        Assert.Empty(await lab.Ends.EndAsync(new TurnEnding { Turn = dropped, Outcome = TurnOutcome.Cancelled }, default));
        var expected = goesOn ? TaskState.Submitted : TaskState.InputRequired;
        Assert.Equal(expected, (await lab.GetAsync(id)).Status.State);
        Assert.Equal(expected, Assert.Single(await lab.ListedAsync()).State);
        Assert.Equal(id, Assert.Single((await lab.Service.ListAsync(ServiceLab.Peer, new ListTasksRequest(), default)).Tasks).Id);
        if (!goesOn) return;
        await lab.CommitEndAsync(lab.Accepted.Single(static turn => turn.Message.MessageId == "quick"), replies: "done");
        Assert.Equal(2, (await lab.GetAsync(id)).Artifacts!.Count);
        Assert.Equal(TaskState.Completed, Assert.Single(await lab.ListedAsync()).State);
    }

    /// <summary>The inbox knows a message as long as its task is kept, whatever that is set to.</summary>
    [Theory]
    [InlineData(7)]
    [InlineData(90)]
    [InlineData(366)]
    public async Task AMessage_IsKnownAtLeastAsLongAsItsTask(int days)
    {
        var time = new ManualTime();
        var lab = new ServiceLab(options => options.Retention = TimeSpan.FromDays(days), time: time);
        var id = (await lab.SendAsync("m")).Id;
        // It waits in line for as long as it would be kept after its end. A host that has started since asks the inbox whose turn it is.
        time.Advance(TimeSpan.FromDays(days));
        var later = new ServiceLab(options => options.Retention = TimeSpan.FromDays(days), time: time, store: lab.Store);
        var canceling = later.Service.CancelAsync(ServiceLab.Peer, new CancelTaskRequest { Id = id }, CancellationToken.None);
        await time.ArmedAsync(1);
        Assert.Equal([lab.Accepted.Single().Id], later.Cancelled);
        Assert.Empty(later.Accepted);
        Assert.InRange(later.Book.DedupeWindow, TimeSpan.FromDays(30), TimeSpan.MaxValue);
        await later.Records.WriteAsync(await later.Ends.EndAsync(new TurnEnding { Turn = lab.Accepted.Single(), Outcome = TurnOutcome.Cancelled }, default));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(TaskState.Canceled, (await canceling.WaitAsync(Patience)).Status.State);
    }

    [Fact]
    public async Task AMessage_ThatTheInboxRefuses_LeavesItsTaskAsItWas()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        await lab.EndAsync(FinishReason.InputRequired, "What else?");
        using var watching = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);
        lab.BeforeAccept = _ => throw BridgeException.Busy("full", TimeSpan.FromSeconds(1));
        Assert.Equal(ErrorCodes.Busy, (await Assert.ThrowsAsync<A2AException>(() => lab.SendAsync("one", id))).Code);
        Assert.Equal(TaskState.InputRequired, (await lab.GetAsync(id)).Status.State);
        Assert.Equal(TaskState.InputRequired, watching!.Feed.State);

        lab.BeforeAccept = null;
        Assert.Equal(TaskState.Submitted, (await lab.SendAsync("two", id)).Status.State);
    }

    [Fact]
    public async Task APage_EndsBeforeItIsTooLarge_AndGoesOn()
    {
        var lab = new ServiceLab();
        for (var i = 0; i < 3; i++)
        {
            await lab.SendAsync($"m-{i}");
            await lab.EndAsync(replies: new string('x', i == 0 ? 20 << 20 : 7 << 20));
        }

        var request = new ListTasksRequest { IncludeArtifacts = true, PageSize = 100 };
        var first = await lab.Service.ListAsync(ServiceLab.Peer, request, CancellationToken.None);
        Assert.Equal((2, 3), (first.Tasks.Count, first.TotalSize));
        // What is too large for a page alone is one.
        var second = await lab.Service.ListAsync(ServiceLab.Peer, request with { PageToken = first.NextPageToken }, CancellationToken.None);
        Assert.Equal((1, ""), (second.Tasks.Count, second.NextPageToken));
        Assert.Equal(20 << 20, second.Tasks[0].Artifacts!.Single().Parts.Single().Text!.Length);
        Assert.Equal(3, (await lab.Service.ListAsync(ServiceLab.Peer, new ListTasksRequest { PageSize = 100 }, CancellationToken.None)).Tasks.Count);
    }

    /// <summary>The public conformance tests send a file of a type that the card doesn't name.</summary>
    [Fact]
    public async Task TheConformanceAgent_RefusesTypesThatItsCardDoesNotName()
    {
        var lab = new ServiceLab(static options => options.Agent = "conformance");
        var request = ServiceLab.Message("tck-send-003");
        foreach (var (type, isTaken) in new[] { ("application/x-unsupported-tck-type", false), ("text/plain", true) })
        {
            var part = new A2APart { Raw = "tck"u8.ToArray(), MediaType = type };
            var sent = lab.Service.SendAsync(ServiceLab.Peer, request with { Message = request.Message with { Parts = [part] } }, CancellationToken.None);
            if (isTaken) Assert.NotNull((await sent).Task);
            else Assert.Equal(A2AError.ContentTypeNotSupported, (await Assert.ThrowsAsync<A2AException>(() => sent)).Error);
        }
    }

    private static PushConfig Push(string id) => new() { Id = id, Url = "https://example.com/" + id };
}
