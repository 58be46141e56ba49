using System.Text.Json;

namespace ChannelBridge.A2A.Json;

/// <summary>
/// What the serializer doesn't see: members that must be there, lists with holes. A fault is a <see cref="JsonException"/> whose path names
/// the member, as the serializer's own are.
/// </summary>
internal static class Check
{
    public static JsonException Fault(string path, string what) => new($"{path} {what}.", path, null, null);

    public static IReadOnlyList<TTo>? Map<TFrom, TTo>(IReadOnlyList<TFrom>? list, string path, Func<TFrom, string, TTo> map)
        where TFrom : class
    {
        if (list is null) return null;
        var mapped = new TTo[list.Count];
        for (var i = 0; i < mapped.Length; i++)
        {
            mapped[i] = list[i] is { } item ? map(item, $"{path}[{i}]") : throw Fault($"{path}[{i}]", "is null");
        }

        return mapped;
    }

    public static IReadOnlyList<TTo>? Map<TFrom, TTo>(IReadOnlyList<TFrom>? list, Func<TFrom, TTo> map)
    {
        if (list is null) return null;
        var mapped = new TTo[list.Count];
        for (var i = 0; i < mapped.Length; i++) mapped[i] = map(list[i]);
        return mapped;
    }

    public static void Needed(string? text, string path)
    {
        if (string.IsNullOrEmpty(text)) throw Fault(path, "is missing");
    }

    public static void Send(SendRequest request)
    {
        Message(request.Message, "message");
        if (request.Message.Parts.Count == 0) throw Fault("message.parts", "is missing or empty");
        if (request.Configuration is not { } configuration) return;
        if (configuration.HistoryLength is < 0) throw Fault("configuration.historyLength", "is negative");
        if (configuration.TaskPushNotificationConfig is { } push) Needed(push.Url, "configuration.taskPushNotificationConfig.url");
    }

    public static void Message(A2AMessage message, string path)
    {
        Needed(message.MessageId, path + ".messageId");
        Each(message.Parts, path + ".parts", Part);
        Strings(message.ReferenceTaskIds, path + ".referenceTaskIds");
        Strings(message.Extensions, path + ".extensions");
        Object(message.Metadata, path + ".metadata");
    }

    public static void Task(A2ATask task, string path)
    {
        Needed(task.Id, path + ".id");
        Status(task.Status, path + ".status");
        Each(task.Artifacts, path + ".artifacts", Artifact);
        Each(task.History, path + ".history", Message);
    }

    public static void Item(StreamItem item)
    {
        var count = 0;
        if (item.Task is { } task)
        {
            count++;
            Task(task, "task");
        }

        if (item.Message is { } message)
        {
            count++;
            Message(message, "message");
        }

        if (item.StatusUpdate is { } status)
        {
            count++;
            Needed(status.TaskId, "statusUpdate.taskId");
            Status(status.Status, "statusUpdate.status");
        }

        if (item.ArtifactUpdate is { } update)
        {
            count++;
            Needed(update.TaskId, "artifactUpdate.taskId");
            Artifact(update.Artifact, "artifactUpdate.artifact");
        }

        if (count != 1) throw Fault("$", "must hold exactly one of task, message, statusUpdate and artifactUpdate");
    }

    public static void Result(SendResult result)
    {
        if (result.Task is null == result.Message is null) throw Fault("$", "must hold a task or a message");
        if (result.Task is { } task) Task(task, "task");
        if (result.Message is { } message) Message(message, "message");
    }

    public static void Tasks(ListTasksResult result) => Each(result.Tasks, "tasks", Task);

    public static void List(ListTasksRequest request)
    {
        if (request.PageSize is < 1 or > 100) throw Fault("pageSize", "is not within 1 to 100");
        if (request.HistoryLength is < 0) throw Fault("historyLength", "is negative");
    }

    public static void Get(GetTaskRequest request)
    {
        Needed(request.Id, "id");
        if (request.HistoryLength is < 0) throw Fault("historyLength", "is negative");
    }

    /// <summary>The task may be named elsewhere: over plain HTTP it is the path that does.</summary>
    public static void Push(PushConfig config) => Needed(config.Url, "url");

    public static void Pushes(ListPushConfigsResult result) => Each(result.Configs, "configs", static (_, _) => { });

    private static void Status(A2ATaskStatus status, string path)
    {
        if (status.Message is { } message) Message(message, path + ".message");
    }

    private static void Artifact(A2AArtifact artifact, string path)
    {
        Needed(artifact.ArtifactId, path + ".artifactId");
        Each(artifact.Parts, path + ".parts", Part);
        Object(artifact.Metadata, path + ".metadata");
    }

    private static void Part(A2APart part, string path)
    {
        if (part.Contents != 1) throw Fault(path, "must hold exactly one of text, raw, url and data");
        Object(part.Metadata, path + ".metadata");
    }

    private static void Object(JsonElement? value, string path)
    {
        if (value is { ValueKind: not JsonValueKind.Object }) throw Fault(path, "is no object");
    }

    private static void Strings(IReadOnlyList<string>? list, string path) => Each(list, path, static (_, _) => { });

    private static void Each<T>(IReadOnlyList<T>? list, string path, Action<T, string> check)
        where T : class
    {
        if (list is null) return;
        for (var i = 0; i < list.Count; i++)
        {
            // The path is put together where it is needed only: a long history costs no strings.
            if (list[i] is not { } item) throw Fault($"{path}[{i}]", "is null");
            try
            {
                check(item, "");
            }
            catch (JsonException fault)
            {
                throw new JsonException($"{path}[{i}]{fault.Message}", $"{path}[{i}]{fault.Path}", null, null, fault);
            }
        }
    }
}
