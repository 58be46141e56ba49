using System.Text.Json;
using ChannelBridge.A2A.Json;
using ChannelBridge.A2A.V03;

namespace ChannelBridge.A2A.V03Rest;

/// <summary>
/// Between the records of 1.0 and what 0.3 has over plain HTTP: the JSON of its protocol buffers. Parts go by way of 0.3's own, so that
/// both of its forms lose and keep the same.
/// </summary>
internal static class ConvertRest
{
    public static A2AMessage Message(RestMessage message, string path) => new()
    {
        MessageId = message.MessageId is { Length: > 0 } id ? id : throw Check.Fault(path + ".messageId", "is missing"),
        ContextId = Filled(message.ContextId),
        TaskId = Filled(message.TaskId),
        Role = Spelling.Role(message.Role ?? "") is { } role and not MessageRole.Unspecified
            ? role
            : throw Check.Fault(path + ".role", "is neither ROLE_USER nor ROLE_AGENT"),
        Parts = Check.Map(message.Content ?? message.Parts, path + ".content", Part) ?? [],
        Metadata = message.Metadata,
        Extensions = message.Extensions,
    };

    public static RestMessage Message(A2AMessage message) => new()
    {
        MessageId = message.MessageId,
        ContextId = message.ContextId,
        TaskId = message.TaskId,
        Role = Spelling.Role(message.Role),
        Content = Check.Map(message.Parts, Part),
        Metadata = message.Metadata,
        Extensions = message.Extensions,
    };

    public static A2ATask Task(RestTask task, string path) => new()
    {
        Id = task.Id is { Length: > 0 } id ? id : throw Check.Fault(path + ".id", "is missing"),
        ContextId = task.ContextId ?? "",
        Status = Status(task.Status, path + ".status"),
        Artifacts = Check.Map(task.Artifacts, path + ".artifacts", Artifact),
        History = Check.Map(task.History, path + ".history", Message),
        Metadata = task.Metadata,
    };

    public static RestTask Task(A2ATask task) => new()
    {
        Id = task.Id,
        ContextId = task.ContextId,
        Status = Status(task.Status),
        Artifacts = Check.Map(task.Artifacts, Artifact),
        History = Check.Map(task.History, Message),
        Metadata = task.Metadata,
    };

    public static StreamItem Item(RestItem item)
    {
        if (item.Task is { } task) return new StreamItem { Task = Task(task, "task") };
        if (item.Message is { } message) return new StreamItem { Message = Message(message, "message") };
        if (item.StatusUpdate is { } status)
        {
            return new StreamItem
            {
                StatusUpdate = new TaskStatusUpdate
                {
                    TaskId = status.TaskId ?? throw Check.Fault("statusUpdate.taskId", "is missing"),
                    ContextId = status.ContextId ?? "",
                    Status = Status(status.Status, "statusUpdate.status"),
                    Metadata = status.Metadata,
                },
            };
        }

        if (item.ArtifactUpdate is not { } update)
        {
            throw Check.Fault("$", "must hold exactly one of task, message, statusUpdate and artifactUpdate");
        }
        return new StreamItem
        {
            ArtifactUpdate = new TaskArtifactUpdate
            {
                TaskId = update.TaskId ?? throw Check.Fault("artifactUpdate.taskId", "is missing"),
                ContextId = update.ContextId ?? "",
                Artifact = Artifact(
                    update.Artifact ?? throw Check.Fault("artifactUpdate.artifact", "is missing"), "artifactUpdate.artifact"),
                Append = update.Append ?? false,
                LastChunk = update.LastChunk ?? false,
                Metadata = update.Metadata,
            },
        };
    }

    public static RestItem Item(StreamItem item) => new()
    {
        Task = item.Task is { } task ? Task(task) : null,
        Message = item.Message is { } message ? Message(message) : null,
        StatusUpdate = item.StatusUpdate is { } status
            ? new RestUpdate
            {
                TaskId = status.TaskId,
                ContextId = status.ContextId,
                Status = Status(status.Status),
                Final = TaskStates.EndsStream(status.Status.State),
                Metadata = status.Metadata,
            }
            : null,
        ArtifactUpdate = item.ArtifactUpdate is { } update
            ? new RestUpdate
            {
                TaskId = update.TaskId,
                ContextId = update.ContextId,
                Artifact = Artifact(update.Artifact),
                Append = update.Append ? true : null,
                LastChunk = update.LastChunk ? true : null,
                Metadata = update.Metadata,
            }
            : null,
    };

    public static SendResult Result(RestItem item) => Item(item) switch
    {
        { Task: { } task } => new SendResult { Task = task },
        { Message: { } message } => new SendResult { Message = message },
        _ => throw Check.Fault("$", "must hold a task or a message"),
    };

    public static RestItem Result(SendResult result) => Item(new StreamItem { Task = result.Task, Message = result.Message });

    private static string? Filled(string? text) => text is { Length: > 0 } ? text : null;

    private static A2APart Part(RestPart part, string path) => Parts03.From(
        part switch
        {
            { Text: { } text } => new Part03 { Kind = "text", Text = text, Metadata = part.Metadata },
            { File: { } file } => new Part03
            {
                Kind = "file",
                File = new File03
                {
                    Bytes = file.FileWithBytes,
                    Uri = file.FileWithUri,
                    MimeType = Filled(file.MimeType),
                    Name = Filled(file.Name),
                },
                Metadata = part.Metadata,
            },
            { Data.Data: { ValueKind: JsonValueKind.Object } data } => new Part03 { Kind = "data", Data = data, Metadata = part.Metadata },
            _ => new Part03(),
        },
        path);

    private static RestPart Part(A2APart part)
    {
        var old = Parts03.To(part);
        return new RestPart
        {
            Text = old.Text,
            File = old.File is { } file
                ? new RestFile { FileWithBytes = file.Bytes, FileWithUri = file.Uri, MimeType = file.MimeType, Name = file.Name }
                : null,
            Data = old.Data is { } data ? new RestData { Data = data } : null,
            Metadata = old.Metadata,
        };
    }

    private static A2AArtifact Artifact(RestArtifact artifact, string path) => new()
    {
        ArtifactId = artifact.ArtifactId is { Length: > 0 } id ? id : throw Check.Fault(path + ".artifactId", "is missing"),
        Name = Filled(artifact.Name),
        Description = Filled(artifact.Description),
        Parts = Check.Map(artifact.Parts, path + ".parts", Part) ?? [],
        Metadata = artifact.Metadata,
        Extensions = artifact.Extensions,
    };

    private static RestArtifact Artifact(A2AArtifact artifact) => new()
    {
        ArtifactId = artifact.ArtifactId,
        Name = artifact.Name,
        Description = artifact.Description,
        Parts = Check.Map(artifact.Parts, Part),
        Metadata = artifact.Metadata,
        Extensions = artifact.Extensions,
    };

    private static A2ATaskStatus Status(RestStatus? status, string path) => status is null
        ? throw Check.Fault(path, "is missing")
        : new A2ATaskStatus
        {
            State = Spelling.State(status.State ?? "") ?? TaskState.Unspecified,
            Message = status.Message is { } message ? Message(message, path + ".message") : null,
            Timestamp = TimestampConverter.Parse(status.Timestamp),
        };

    private static RestStatus Status(A2ATaskStatus status) => new()
    {
        State = Spelling.StateRest03(status.State),
        Message = status.Message is { } message ? Message(message) : null,
        Timestamp = status.Timestamp is { } time ? TimestampConverter.Text(time) : null,
    };
}
