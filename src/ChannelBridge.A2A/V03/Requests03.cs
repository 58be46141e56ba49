using ChannelBridge.A2A.Json;

namespace ChannelBridge.A2A.V03;

/// <summary>Requests and push configurations between 1.0 and what 0.3 has over JSON-RPC.</summary>
internal static class Requests03
{
    public static SendRequest Send(Send03 send) => new()
    {
        Message = Convert03.Message(send.Message ?? throw Check.Fault("message", "is missing"), "message"),
        Configuration = send.Configuration is { } configuration
            ? new SendConfiguration
            {
                AcceptedOutputModes = configuration.AcceptedOutputModes,
                HistoryLength = configuration.HistoryLength,
                // Unsaid means waiting: so have the servers of 0.3 read it.
                ReturnImmediately = configuration.Blocking is false,
                TaskPushNotificationConfig = configuration.PushNotificationConfig is { } push
                    ? Push(push, null, "configuration.pushNotificationConfig")
                    : null,
            }
            : null,
        Metadata = send.Metadata,
    };

    public static Send03 Send(SendRequest request) => new()
    {
        Message = Convert03.Message(request.Message),
        Configuration = request.Configuration is { } configuration
            ? new Configuration03
            {
                AcceptedOutputModes = configuration.AcceptedOutputModes,
                HistoryLength = configuration.HistoryLength,
                Blocking = !configuration.ReturnImmediately,
                PushNotificationConfig = configuration.TaskPushNotificationConfig is { } push ? Push(push) : null,
            }
            : null,
        Metadata = request.Metadata,
    };

    public static GetTaskRequest Get(TaskId03 id) => new() { Id = Id(id), HistoryLength = id.HistoryLength };

    public static TaskId03 Get(GetTaskRequest request) => new() { Id = request.Id, HistoryLength = request.HistoryLength };

    public static CancelTaskRequest Cancel(TaskId03 id) => new() { Id = Id(id), Metadata = id.Metadata };

    public static TaskId03 Cancel(CancelTaskRequest request) => new() { Id = request.Id, Metadata = request.Metadata };

    public static SubscribeRequest Subscribe(TaskId03 id) => new() { Id = Id(id) };

    public static TaskId03 Subscribe(SubscribeRequest request) => new() { Id = request.Id };

    public static PushConfigRequest PushId(TaskId03 id) => new() { TaskId = Id(id), Id = id.PushNotificationConfigId ?? "" };

    public static TaskId03 PushId(PushConfigRequest request) => new() { Id = request.TaskId, PushNotificationConfigId = request.Id };

    public static ListPushConfigsRequest ListPush(TaskId03 id) => new() { TaskId = Id(id) };

    public static TaskId03 ListPush(ListPushConfigsRequest request) => new() { Id = request.TaskId };

    public static PushConfig TaskPush(TaskPush03 push) => Push(
        push.PushNotificationConfig ?? throw Check.Fault("pushNotificationConfig", "is missing"),
        push.TaskId is { Length: > 0 } id ? id : throw Check.Fault("taskId", "is missing"),
        "pushNotificationConfig");

    public static TaskPush03 TaskPush(PushConfig config) => new() { TaskId = config.TaskId, PushNotificationConfig = Push(config) };

    public static ListPushConfigsResult Pushes(IReadOnlyList<TaskPush03> list) =>
        new() { Configs = Check.Map(list, "$", static (push, _) => TaskPush(push))! };

    public static IReadOnlyList<TaskPush03> Pushes(ListPushConfigsResult result) => Check.Map(result.Configs, TaskPush)!;

    private static string Id(TaskId03 id) => id.Id is { Length: > 0 } text ? text : throw Check.Fault("id", "is missing");

    public static PushConfig Push(Push03 push, string? taskId, string path) => new()
    {
        Id = push.Id,
        TaskId = taskId,
        Url = push.Url is { Length: > 0 } url ? url : throw Check.Fault(path + ".url", "is missing"),
        Token = push.Token,
        // 0.3 lets a client name several schemes; the first is used, as 1.0 has one only.
        Authentication = push.Authentication is { } authentication
            ? new PushAuthentication
            {
                Scheme = authentication.Schemes is [{ } scheme, ..] ? scheme : "",
                Credentials = authentication.Credentials,
            }
            : null,
    };

    public static Push03 Push(PushConfig config) => new()
    {
        Id = config.Id,
        Url = config.Url,
        Token = config.Token,
        Authentication = config.Authentication is { } authentication
            ? new PushAuthentication03
            {
                Schemes = authentication.Scheme.Length > 0 ? [authentication.Scheme] : [],
                Credentials = authentication.Credentials,
            }
            : null,
    };
}
