using System.Collections.Concurrent;
using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;

namespace ChannelBridge.Tests.Shared.A2A;

/// <summary>An agent in memory behind the doors of A2A, which does what the text says: the counterpart of <c>a2a-server.mjs</c>.</summary>
internal sealed class MemoryAgent : IA2AService
{
    private readonly ConcurrentDictionary<(string Client, string Id), TaskFeed> _tasks = new();
    private readonly ConcurrentDictionary<(string Client, string Task, string Id), PushConfig> _pushes = new();
    private readonly List<(string Client, string Id)> _order = [];
    private int _ids;

    /// <summary>The card that clients see who are known.</summary>
    public AgentCard Card { get; set; } = new() { Name = "extended" };

    public async Task<SendResult> SendAsync(string client, SendRequest request, CancellationToken cancellationToken)
    {
        var text = request.Message.Parts[0].Text ?? "";
        if (text.StartsWith("message", StringComparison.Ordinal))
        {
            return new SendResult
            {
                Message = new A2AMessage { MessageId = "answer", Role = MessageRole.Agent, Parts = [A2APart.OfText("directly")] },
            };
        }

        if (text.StartsWith("crash", StringComparison.Ordinal)) throw new InvalidOperationException("a secret of the server");
        if (text.StartsWith("full", StringComparison.Ordinal))
        {
            throw new A2AException(A2AError.Internal, "The store is full: make room.") { Code = "STORE_FULL", Retryable = true };
        }

        var feed = Begin(client, request);
        _ = RunAsync(feed, text);
        return new SendResult
        {
            Task = request.Configuration is { ReturnImmediately: true } ? feed.Snapshot() : await feed.WaitAsync(cancellationToken),
        };
    }

    public Task<IA2AEvents> StreamAsync(string client, SendRequest request, CancellationToken cancellationToken)
    {
        var feed = Begin(client, request);
        var events = feed.Read();
        _ = RunAsync(feed, request.Message.Parts[0].Text ?? "");
        return Task.FromResult(events);
    }

    public Task<A2ATask> GetAsync(string client, GetTaskRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(Find(client, request.Id).Snapshot());

    public Task<ListTasksResult> ListAsync(string client, ListTasksRequest request, CancellationToken cancellationToken)
    {
        lock (_order)
        {
            var all = _order.Where(known => known.Client == client)
                .Select(known => _tasks[known].Snapshot())
                .Where(task => request.Status is TaskState.Unspecified || task.Status.State == request.Status)
                .Reverse()
                .ToList();
            var size = request.PageSize ?? 50;
            return Task.FromResult(new ListTasksResult
            {
                Tasks = [.. all.Take(size)],
                PageSize = size,
                TotalSize = all.Count,
                NextPageToken = all.Count > size ? "more" : "",
            });
        }
    }

    public Task<A2ATask> CancelAsync(string client, CancelTaskRequest request, CancellationToken cancellationToken)
    {
        var feed = Find(client, request.Id);
        return Change(feed, TaskState.Canceled) is FoldResult.Applied
            ? Task.FromResult(feed.Snapshot())
            : throw new A2AException(A2AError.TaskNotCancelable);
    }

    public Task<IA2AEvents> SubscribeAsync(string client, SubscribeRequest request, CancellationToken cancellationToken)
    {
        var feed = Find(client, request.Id);
        return TaskStates.IsTerminal(feed.State)
            ? throw new A2AException(A2AError.UnsupportedOperation, "The task has ended.")
            : Task.FromResult(feed.Read());
    }

    public Task<PushConfig> SetPushAsync(string client, PushConfig config, CancellationToken cancellationToken)
    {
        var kept = config with
        {
            Id = config.Id is { Length: > 0 } id ? id : "p1",
            TaskId = Find(client, config.TaskId ?? "").Snapshot().Id,
        };
        _pushes[(client, kept.TaskId, kept.Id)] = kept with { Authentication = null };
        return Task.FromResult(_pushes[(client, kept.TaskId, kept.Id)]);
    }

    public Task<PushConfig> GetPushAsync(string client, PushConfigRequest request, CancellationToken cancellationToken) =>
        _pushes.TryGetValue((client, request.TaskId, request.Id), out var config)
            ? Task.FromResult(config)
            : throw new A2AException(A2AError.TaskNotFound);

    public Task<ListPushConfigsResult> ListPushAsync(string client, ListPushConfigsRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(new ListPushConfigsResult
        {
            Configs =
                [.. _pushes.Where(entry => entry.Key.Client == client && entry.Key.Task == request.TaskId).Select(static entry => entry.Value)],
        });

    public Task DeletePushAsync(string client, PushConfigRequest request, CancellationToken cancellationToken)
    {
        _pushes.TryRemove((client, request.TaskId, request.Id), out _);
        return Task.CompletedTask;
    }

    public Task<AgentCard> GetExtendedCardAsync(string client, ExtendedCardRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(Card);

    private static FoldResult Change(TaskFeed feed, TaskState state)
    {
        var task = feed.Snapshot();
        return feed.Publish(new StreamItem
        {
            StatusUpdate = new TaskStatusUpdate
            {
                TaskId = task.Id,
                ContextId = task.ContextId,
                Status = new A2ATaskStatus { State = state, Timestamp = DateTimeOffset.UtcNow },
            },
        });
    }

    private static async Task RunAsync(TaskFeed feed, string text)
    {
        await Task.Yield();
        Change(feed, TaskState.Working);
        if (text.StartsWith("wait", StringComparison.Ordinal)) return;
        if (text.StartsWith("ask", StringComparison.Ordinal))
        {
            Change(feed, TaskState.InputRequired);
            return;
        }

        if (text.StartsWith("fail", StringComparison.Ordinal))
        {
            Change(feed, TaskState.Failed);
            return;
        }

        var task = feed.Snapshot();
        string[] chunks = text.StartsWith("chunks", StringComparison.Ordinal) ? ["one ", "two ", "three"] : [text];
        for (var i = 0; i < chunks.Length; i++)
        {
            feed.Publish(new StreamItem
            {
                ArtifactUpdate = new TaskArtifactUpdate
                {
                    TaskId = task.Id,
                    ContextId = task.ContextId,
                    Append = i > 0,
                    LastChunk = i == chunks.Length - 1,
                    Artifact = new A2AArtifact { ArtifactId = "answer", Parts = [A2APart.OfText(chunks[i])] },
                },
            });
        }

        Change(feed, TaskState.Completed);
    }

    private TaskFeed Begin(string client, SendRequest request)
    {
        if (request.Message.TaskId is { Length: > 0 } known)
        {
            var feed = Find(client, known);
            if (TaskStates.IsTerminal(feed.State)) throw Ended();
            feed.AddHistory(request.Message);
            Change(feed, TaskState.Submitted);
            return feed;
        }

        var id = $"task-{Interlocked.Increment(ref _ids)}";
        var made = new TaskFeed(new A2ATask
        {
            Id = id,
            ContextId = request.Message.ContextId ?? "context-" + id,
            Status = new A2ATaskStatus { State = TaskState.Submitted, Timestamp = DateTimeOffset.UtcNow },
            Artifacts = [],
            History = [request.Message with { TaskId = id }],
        });
        _tasks[(client, id)] = made;
        lock (_order) _order.Add((client, id));
        return made;
    }

    private static A2AException Ended() => new(A2AError.UnsupportedOperation, "The task has ended.") { Code = IA2AService.TaskEnded };

    private TaskFeed Find(string client, string id) =>
        _tasks.TryGetValue((client, id), out var feed) ? feed : throw new A2AException(A2AError.TaskNotFound);
}
