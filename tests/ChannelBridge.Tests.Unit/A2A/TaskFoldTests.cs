using ChannelBridge.A2A;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.Unit.A2A;

/// <summary>
/// Whatever events come in whatever order, a task's states follow each other legally, it ends once, and it keeps within its bounds.
/// </summary>
public sealed class TaskFoldTests
{
    private static readonly Config Quick = Config.QuickThrowOnFailure.WithMaxTest(300);
    private static readonly TaskBounds Small = new() { HistoryMessages = 5, HistoryBytes = 2000, ArtifactBytes = 400 };

    [Fact]
    public void AnyRowOfEvents_IsALegalLifeOfATask()
    {
        Check.One(Quick, Prop.ForAll(Records.Change("t").ListOf().ToArbitrary(), events =>
        {
            var fold = new TaskFold(Begun(), Small);
            var ended = false;
            foreach (var item in events)
            {
                var before = fold.State;
                var result = fold.Apply(item);
                if (ended && result is FoldResult.Applied) return false;
                if (result is FoldResult.Applied && item.StatusUpdate is not null && !TaskStates.MayFollow(before, fold.State))
                {
                    return false;
                }
                if (result is not FoldResult.Applied && fold.State != before) return false;
                ended = fold.Ended;
            }

            var task = fold.Snapshot();
            return task.Artifacts!.Sum(static artifact => PartSizes.Of(artifact.Parts)) <= Small.ArtifactBytes
                && task.History!.Count <= Small.HistoryMessages
                && (task.History.Count <= 1 || task.History.Sum(static message => PartSizes.Of(message.Parts)) <= Small.HistoryBytes);
        }));
    }

    [Fact]
    public void ASnapshot_NeverChanges()
    {
        Check.One(Quick, Prop.ForAll(Records.Change("t").ListOf().ToArbitrary(), events =>
        {
            var fold = new TaskFold(Begun());
            var kept = new List<(A2ATask Task, string Text)>();
            foreach (var item in events)
            {
                fold.Apply(item);
                var task = fold.Snapshot();
                kept.Add((task, Records.Text(A2ADialect.V10.Task, task)));
            }

            return kept.TrueForAll(static pair => Records.Text(A2ADialect.V10.Task, pair.Task) == pair.Text);
        }));
    }

    [Fact]
    public void APoll_TellsWhatIsNew_AndNothingTwice()
    {
        Check.One(Quick, Prop.ForAll(Records.Change("t").ListOf().ToArbitrary(), events =>
        {
            var server = new TaskFold(Begun());
            var client = new TaskFold(Begun());
            foreach (var item in events)
            {
                server.Apply(item);
                var seen = server.Snapshot();
                client.Advance(seen);
                if (client.Advance(seen).Count > 0) return false;
            }

            return Records.Text(A2ADialect.V10.Task, client.Snapshot()) == Records.Text(A2ADialect.V10.Task, server.Snapshot());
        }));
    }

    /// <summary>A poll that was overtaken by events must not take anything back.</summary>
    [Theory]
    [InlineData(TaskState.Submitted)]
    [InlineData(TaskState.Unspecified)]
    public void ALookAtAnEarlierState_ChangesNothing(TaskState earlier)
    {
        var fold = new TaskFold(Begun());
        fold.Apply(
            new StreamItem
            {
                StatusUpdate = new TaskStatusUpdate { TaskId = "t", ContextId = "c", Status = new A2ATaskStatus { State = TaskState.Working } },
            });
        fold.Apply(Chunk("one ", append: false));

        Assert.Empty(fold.Advance(Begun() with { Status = new A2ATaskStatus { State = earlier } }));
        Assert.Equal(TaskState.Working, fold.State);
        Assert.Equal("one ", fold.Snapshot().Artifacts!.Single().Parts.Single().Text);
        Assert.Single(fold.Advance(fold.Snapshot() with { Status = new A2ATaskStatus { State = TaskState.Completed } }));
    }

    /// <summary>Looks that come in any order leave a task whose states follow each other legally.</summary>
    [Fact]
    public void LooksInAnyOrder_NeverGoBack()
    {
        Check.One(Quick, Prop.ForAll(Records.Change("t").ListOf().ToArbitrary(), events =>
        {
            var fold = new TaskFold(Begun());
            foreach (var item in events)
            {
                if (item.StatusUpdate is not { } update) continue;
                var before = fold.State;
                var told = fold.Advance(Begun() with { Status = update.Status });
                if (fold.State != before && !TaskStates.MayFollow(before, fold.State)) return false;
                if (told.Count > 0 && told[^1].StatusUpdate is { } last && last.Status.State != fold.State) return false;
            }

            return true;
        }));
    }

    [Fact]
    public void Chunks_AreAddedToTheirArtifact()
    {
        var fold = new TaskFold(Begun());
        fold.Apply(Chunk("one ", append: false));
        fold.Apply(Chunk("two", append: true));

        Assert.Equal(["one ", "two"], fold.Snapshot().Artifacts!.Single().Parts.Select(static part => part.Text));
    }

    [Fact]
    public void EventsOfAnotherTask_ChangeNothing()
    {
        var fold = new TaskFold(Begun());
        Assert.Equal(
            FoldResult.Refused, fold.Apply(
                new StreamItem
                {
                    StatusUpdate = new TaskStatusUpdate { TaskId = "u", Status = new A2ATaskStatus { State = TaskState.Failed } },
                }));
        Assert.Equal(TaskState.Submitted, fold.State);
    }

    private static A2ATask Begun() =>
        new() { Id = "t", ContextId = "c", Status = new A2ATaskStatus { State = TaskState.Submitted }, Artifacts = [], History = [] };

    private static StreamItem Chunk(string text, bool append) => new()
    {
        ArtifactUpdate = new TaskArtifactUpdate
        {
            TaskId = "t",
            ContextId = "c",
            Append = append,
            Artifact = new A2AArtifact { ArtifactId = "a", Parts = [A2APart.OfText(text)] },
        },
    };
}
