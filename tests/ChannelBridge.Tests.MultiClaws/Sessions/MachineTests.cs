using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Channels.MultiClaws.Sessions;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.MultiClaws.Sessions;

/// <summary>Whatever another agent tells in whatever order, and whatever this side does in between: a session's states follow each other legally, and it ends once.</summary>
public sealed class MachineTests
{
    [Fact]
    public void Any_order_of_updates_and_of_our_own_doings_keeps_to_the_machine()
    {
        var steps = Gen.Choose(0, 14).ArrayOf(40);
        Prop.ForAll(Arb.From(steps), static doings => Run(doings)).Check(Config.QuickThrowOnFailure.WithMaxTest(2000).WithReplay(20261130, 1));
    }

    [Fact]
    public void A_turn_decides_its_outcome_once_whatever_comes_after()
    {
        var items = Gen.Choose(0, 8).ArrayOf(30);
        Prop.ForAll(Arb.From(items), static picks =>
        {
            var turn = new RemoteTurn(null, null, null, isOld: false);
            RemoteOutcome decided = default;
            string? text = null;
            foreach (var pick in picks)
            {
                turn.Apply(Item(pick, "t"));
                if (decided is RemoteOutcome.None && turn.Outcome is not RemoteOutcome.None) (decided, text) = (turn.Outcome, turn.Text);
                if (decided is RemoteOutcome.None) continue;
                Assert.Equal(decided, turn.Outcome);
                Assert.Equal(text, turn.Text);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000).WithReplay(20261130, 3));
    }

    /// <summary>The task of a turn that had begun, or of a question, was left running: the turn of the new start had heard of no task.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_session_given_up_after_a_restart_cancels_the_task_that_it_knows_though_its_agent_was_not_heard_again(bool asked)
    {
        var head = SessionMachine.Say(New(), "first", 0)!.Head;
        if (asked)
        {
            var question = NewTurn(head);
            question.Apply(Item(1, "t"));
            head = SessionMachine.Say(SessionMachine.Came(head, question, 1)!.Head, "reply", 2)!.Head;
        }
        else head = SessionMachine.Began(head, "t", "c", 9, 1)!.Head;

        head = JsonSerializer.Deserialize(JsonSerializer.Serialize(head, SessionJson.Relaxed.SessionHead), SessionJson.Default.SessionHead)!;
        var turn = NewTurn(head);
        turn.Fail("the agent's answer can't be understood");
        var given = SessionMachine.Came(head, turn, 3)!;
        Assert.Equal(("failed", "t", NoticeKind.Failed), (given.Head.Status, given.Head.CancelTask, given.Notice));
        Assert.Equal("t", SessionMachine.End(head, SessionStatus.Failed, SessionMachine.TimedOut, isSent: false, 3)!.Head.CancelTask);
        Assert.Equal("t", SessionMachine.End(head, SessionStatus.Canceled, null, isSent: true, 3)!.Head.CancelTask);
    }

    [Fact]
    public void A_session_keeps_its_last_messages_within_its_bounds()
    {
        var head = New();
        for (var i = 0; i < 500; i++)
        {
            head = SessionMachine.Say(head, new string('x', i % 2 == 0 ? 10 : 100_000), i)!.Head;
            var turn = new RemoteTurn(null, null, null, isOld: false);
            turn.Apply(Item(7, "t"));
            turn.Apply(Item(1, "t"));
            head = SessionMachine.Came(head, turn, i)!.Head;
            Assert.InRange(head.Sizes.Count, 1, SessionMachine.MaxMessages);
            Assert.InRange(head.Sizes.Sum(static size => (long)size), 0, SessionMachine.MaxBytes);
            Assert.Equal(head.Next - head.First, head.Sizes.Count);
        }

        Assert.True(head.Truncated);
    }

    private static void Run(int[] doings)
    {
        var head = SessionMachine.Say(New(), "first", 0)!.Head;
        var turn = NewTurn(head);
        var kept = new Dictionary<int, string> { [1] = "first" };
        var told = new List<NoticeKind>();
        var ends = 0;
        foreach (var doing in doings)
        {
            var before = head;
            var step = doing switch
            {
                9 => SessionMachine.Say(head, "more", 1),
                10 => SessionMachine.End(head, SessionStatus.Canceled, null, isSent: true, 1),
                11 => SessionMachine.End(head, SessionStatus.Failed, SessionMachine.TimedOut, isSent: false, 1),
                12 => head.Pending.Count > 0 && turn.TaskId is { } task ? SessionMachine.Began(head, task, null, 9, 1) : null,
                13 => GiveUp(),
                14 => Restart(),
                _ => turn.Apply(Item(doing, head.TaskWaits ? head.CurrentTaskId! : "t")) ? SessionMachine.Came(head, turn, 1) : null,
            };
            if (turn.Outcome is not RemoteOutcome.None) turn = NewTurn(step?.Head ?? head);
            if (step is null) continue;
            head = step.Head;
            Assert.True(before.Revision < head.Revision);
            Assert.True(before.Status == head.Status || SessionStatus.MayFollow(before.Status, head.Status), $"{before.Status} → {head.Status}");
            Assert.True(!before.Ended || before.Status == head.Status);
            if (head.Ended && !before.Ended) ends++;
            if (step.Notice is { } kind) told.Add(kind);
            foreach (var gone in step.Gone) kept.Remove(gone);
            foreach (var (number, message) in step.Added) kept.Add(number, message.Content);
            Assert.Equal(Enumerable.Range(head.First, head.Next - head.First), kept.Keys.Order());
            Assert.All(head.Pending, number => Assert.True(kept.ContainsKey(number)));
            if (head.Ended && !before.Ended && doing is 10 or 11 or 13)
            {
                // What the session knows to be at work there is cancelled there.
                if (before.Turn?.TaskId is { } works) Assert.Equal(works, head.CancelTask);
                else if (before.TaskWaits) Assert.Equal(before.CurrentTaskId, head.CancelTask);
            }

            // What is ended has nothing to send, but what it takes to cancel.
            Assert.True(!head.Ended || head.Pending.Count == 0 || head.CancelTask is not null);
            Assert.True(head.Status != SessionStatus.InputRequired || (head.TaskWaits && head.Pending.Count == 0));
        }

        Assert.InRange(ends, 0, 1);
        Assert.InRange(told.Count(static kind => kind is NoticeKind.Completed or NoticeKind.Failed), 0, 1);

        SessionStep? GiveUp()
        {
            turn.Fail("given up");
            return SessionMachine.Came(head, turn, 1);
        }

        // What wasn't written is forgotten.
        SessionStep? Restart()
        {
            turn = NewTurn(head);
            return null;
        }
    }

    private static RemoteTurn NewTurn(SessionHead head) =>
        new(head.Turn?.TaskId ?? (head.TaskWaits ? head.CurrentTaskId : null), head.Seen, head.Asked, isOld: false);

    private static SessionHead New() => new() { SessionId = "s", AgentUrl = "http://b", AgentName = "b", ContextId = "c", Status = SessionStatus.Active };

    private static StreamItem Item(int kind, string task) => kind switch
    {
        0 => new StreamItem { Task = new A2ATask { Id = task, ContextId = "c", Status = new A2ATaskStatus { State = TaskState.Working } } },
        1 => Status(task, TaskState.InputRequired),
        2 => Status(task, TaskState.Completed),
        3 => new StreamItem { Message = new A2AMessage { MessageId = "m", Role = MessageRole.Agent, Parts = [A2APart.OfText("said")] } },
        4 => Status(task, TaskState.Failed),
        5 => Status(task, TaskState.Canceled),
        6 => Status("another", TaskState.Completed),
        7 => new StreamItem
        {
            ArtifactUpdate = new TaskArtifactUpdate { TaskId = task, Append = true, Artifact = new A2AArtifact { ArtifactId = "a", Parts = [A2APart.OfText("x")] } },
        },
        _ => Status(task, TaskState.Submitted),
    };

    private static StreamItem Status(string task, TaskState state) => new()
    {
        StatusUpdate = new TaskStatusUpdate { TaskId = task, ContextId = "c", Status = new A2ATaskStatus { State = state } },
    };
}
