using ChannelBridge.A2A.Json;

namespace ChannelBridge.A2A.V03;

/// <summary>Between the records of 1.0 and what 0.3 has over JSON-RPC.</summary>
internal static class Convert03
{
    public static A2AMessage Message(Item03 item, string path) => new()
    {
        MessageId = item.MessageId is { Length: > 0 } id ? id : throw Check.Fault(path + ".messageId", "is missing"),
        ContextId = item.ContextId,
        TaskId = item.TaskId,
        Role = Spelling.Role03(item.Role) is var role and not MessageRole.Unspecified
            ? role
            : throw Check.Fault(path + ".role", "is neither user nor agent"),
        Parts = Check.Map(item.Parts, path + ".parts", Parts03.From) ?? throw Check.Fault(path + ".parts", "is missing"),
        Metadata = item.Metadata,
        Extensions = item.Extensions,
        ReferenceTaskIds = item.ReferenceTaskIds,
    };

    public static Item03 Message(A2AMessage message) => new()
    {
        Kind = Item03.Message,
        MessageId = message.MessageId,
        ContextId = message.ContextId,
        TaskId = message.TaskId,
        Role = Spelling.Role03(message.Role),
        Parts = Check.Map(message.Parts, Parts03.To),
        Metadata = message.Metadata,
        Extensions = message.Extensions,
        ReferenceTaskIds = message.ReferenceTaskIds,
    };

    public static A2ATask Task(Item03 item, string path) => new()
    {
        Id = item.Id is { Length: > 0 } id ? id : throw Check.Fault(path + ".id", "is missing"),
        ContextId = item.ContextId ?? "",
        Status = Status(item.Status, path + ".status"),
        Artifacts = Check.Map(item.Artifacts, path + ".artifacts", Parts03.From),
        History = Check.Map(item.History, path + ".history", Message),
        Metadata = item.Metadata,
    };

    public static Item03 Task(A2ATask task) => new()
    {
        Kind = Item03.Task,
        Id = task.Id,
        ContextId = task.ContextId,
        Status = Status(task.Status),
        Artifacts = Check.Map(task.Artifacts, Parts03.To),
        History = Check.Map(task.History, Message),
        Metadata = task.Metadata,
    };

    public static StreamItem Item(Item03 item) => Kind(item) switch
    {
        Item03.Task => new StreamItem { Task = Task(item, "task") },
        Item03.Message => new StreamItem { Message = Message(item, "message") },
        Item03.StatusUpdate => new StreamItem
        {
            StatusUpdate = new TaskStatusUpdate
            {
                TaskId = item.TaskId ?? throw Check.Fault("taskId", "is missing"),
                ContextId = item.ContextId ?? "",
                Status = Status(item.Status, "status"),
                Metadata = item.Metadata,
            },
        },
        Item03.ArtifactUpdate => new StreamItem
        {
            ArtifactUpdate = new TaskArtifactUpdate
            {
                TaskId = item.TaskId ?? throw Check.Fault("taskId", "is missing"),
                ContextId = item.ContextId ?? "",
                Artifact = Parts03.From(item.Artifact ?? throw Check.Fault("artifact", "is missing"), "artifact"),
                Append = item.Append ?? false,
                LastChunk = item.LastChunk ?? false,
                Metadata = item.Metadata,
            },
        },
        _ => throw Check.Fault("kind", "is none of task, message, status-update and artifact-update"),
    };

    public static Item03 Item(StreamItem item)
    {
        if (item.Task is { } task) return Task(task);
        if (item.Message is { } message) return Message(message);
        if (item.StatusUpdate is { } status)
        {
            return new Item03
            {
                Kind = Item03.StatusUpdate,
                TaskId = status.TaskId,
                ContextId = status.ContextId,
                Status = Status(status.Status),
                // 0.3 says with the last event that it is the last.
                Final = TaskStates.EndsStream(status.Status.State),
                Metadata = status.Metadata,
            };
        }

        var artifact = item.ArtifactUpdate ?? throw Check.Fault("$", "holds nothing");
        return new Item03
        {
            Kind = Item03.ArtifactUpdate,
            TaskId = artifact.TaskId,
            ContextId = artifact.ContextId,
            Artifact = Parts03.To(artifact.Artifact),
            Append = artifact.Append ? true : null,
            LastChunk = artifact.LastChunk ? true : null,
            Metadata = artifact.Metadata,
        };
    }

    public static SendResult Result(Item03 item) => Kind(item) switch
    {
        Item03.Task => new SendResult { Task = Task(item, "task") },
        Item03.Message => new SendResult { Message = Message(item, "message") },
        _ => throw Check.Fault("kind", "is neither task nor message"),
    };

    public static Item03 Result(SendResult result) =>
        result.Task is { } task ? Task(task) : Message(result.Message ?? throw Check.Fault("$", "holds nothing"));

    /// <summary>A change of state of which the sender said that it is the last one.</summary>
    public static bool IsFinal(Item03 item) => item.Final is true;

    private static string? Kind(Item03 item) =>
        item.Kind ?? (item.MessageId is not null ? Item03.Message : item.Id is not null ? Item03.Task : null);

    private static A2ATaskStatus Status(Status03? status, string path) => status is null
        ? throw Check.Fault(path, "is missing")
        : new A2ATaskStatus
        {
            State = Spelling.State03(status.State),
            Message = status.Message is { } message ? Message(message, path + ".message") : null,
            Timestamp = TimestampConverter.Parse(status.Timestamp),
        };

    private static Status03 Status(A2ATaskStatus status) => new()
    {
        State = Spelling.State03(status.State),
        Message = status.Message is { } message ? Message(message) : null,
        Timestamp = status.Timestamp is { } time ? TimestampConverter.Text(time) : null,
    };
}
