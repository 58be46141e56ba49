using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;

namespace ChannelBridge.Tests.Unit.A2A;

/// <summary>All readers of a task hear the same events in the same order, whenever they come.</summary>
public sealed class TaskFeedTests
{
    [Fact]
    public async Task ReadersThatComeAtAnyTime_EndWithTheSameTask_AndHearTheSameRow()
    {
        var feed = new TaskFeed(Begun());
        var readers = new List<Task<List<StreamItem>>>();
        for (var i = 0; i < 200; i++)
        {
            if (i % 20 == 0) readers.Add(AllAsync(feed.Read()));
            feed.Publish(Chunk(i));
        }

        readers.Add(AllAsync(feed.Read()));
        feed.Publish(Status(TaskState.Completed));
        var heard = await Task.WhenAll(readers);

        var longest = heard[0];
        foreach (var row in heard)
        {
            Assert.NotNull(row[0].Task);
            // What a late reader heard is the end of what an early one heard, the same objects.
            Assert.Equal(longest[^(row.Count - 1)..], row[1..]);
            var fold = new TaskFold(row[0].Task!);
            foreach (var item in row[1..]) Assert.Equal(FoldResult.Applied, fold.Apply(item));
            Assert.Equal(Records.Text(A2ADialect.V10.Task, feed.Snapshot()), Records.Text(A2ADialect.V10.Task, fold.Snapshot()));
        }
    }

    [Fact]
    public async Task AnEvent_IsWrittenOnce_HoweverManyReadIt()
    {
        var feed = new TaskFeed(Begun());
        await using var one = feed.Read();
        await using var two = feed.Read();
        feed.Publish(Status(TaskState.Working));
        await one.NextAsync(default);
        await two.NextAsync(default);
        var (first, second) = (await one.NextAsync(default), await two.NextAsync(default));

        Assert.Same(first, second);
        Assert.True(first!.Bytes(A2ADialect.V03).Equals(second!.Bytes(A2ADialect.V03)));
        Assert.NotEqual(first.Bytes(A2ADialect.V10).ToArray(), first.Bytes(A2ADialect.V03).ToArray());
    }

    [Fact]
    public async Task WhatIsThere_IsTakenWithoutWaiting()
    {
        var feed = new TaskFeed(Begun());
        await using var events = feed.Read();
        feed.Publish(Chunk(0));

        Assert.True(events.TryNext(out var first));
        Assert.NotNull(first.Item.Task);
        Assert.True(events.TryNext(out var second));
        Assert.Equal("0 ", second.Item.ArtifactUpdate!.Artifact.Parts[0].Text);
        Assert.False(events.TryNext(out _));
        // Who waits is told, and what comes right behind is there.
        var waiting = events.NextAsync(CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        feed.Publish(Chunk(1));
        feed.Publish(Status(TaskState.Completed));
        Assert.Equal("1 ", (await waiting)!.Item.ArtifactUpdate!.Artifact.Parts[0].Text);
        Assert.True(events.TryNext(out var last));
        Assert.Equal(TaskState.Completed, last.Item.StatusUpdate!.Status.State);
        Assert.False(events.TryNext(out _));
        Assert.Null(await events.NextAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData(TaskState.Completed)]
    [InlineData(TaskState.InputRequired)]
    [InlineData(TaskState.AuthRequired)]
    public async Task AStream_EndsWithTheTask_AndWhereItWaits(TaskState state)
    {
        var feed = new TaskFeed(Begun());
        var reading = AllAsync(feed.Read());
        var waiting = feed.WaitAsync();
        feed.Publish(Status(TaskState.Working));
        feed.Publish(Status(state));

        Assert.Equal(3, (await reading).Count);
        Assert.Equal(state, (await waiting).Status.State);
        Assert.Equal(0, feed.Readers);
    }

    [Fact]
    public async Task AReaderOfAnEndedTask_GetsItAndNothingElse()
    {
        var feed = new TaskFeed(Begun());
        feed.Publish(Status(TaskState.Failed));

        Assert.Equal(TaskState.Failed, Assert.Single(await AllAsync(feed.Read())).Task!.Status.State);
        Assert.Equal(FoldResult.Refused, feed.Publish(Status(TaskState.Completed)));
    }

    private static async Task<List<StreamItem>> AllAsync(IA2AEvents events)
    {
        await using var closing = events;
        var all = new List<StreamItem>();
        while (await events.NextAsync(CancellationToken.None) is { } item) all.Add(item.Item);
        return all;
    }

    private static A2ATask Begun() => new()
    {
        Id = "t",
        ContextId = "c",
        Status = new A2ATaskStatus { State = TaskState.Submitted },
        Artifacts = [],
        History = [],
    };

    private static StreamItem Status(TaskState state) => new()
    {
        StatusUpdate = new TaskStatusUpdate { TaskId = "t", ContextId = "c", Status = new A2ATaskStatus { State = state } },
    };

    private static StreamItem Chunk(int number) => new()
    {
        ArtifactUpdate = new TaskArtifactUpdate
        {
            TaskId = "t",
            ContextId = "c",
            Append = number > 0,
            Artifact = new A2AArtifact { ArtifactId = "a", Parts = [A2APart.OfText($"{number} ")] },
        },
    };
}
