using ChannelBridge.A2A.Json;
using ChannelBridge.A2A.V03;

namespace ChannelBridge.A2A.V03Rest;

/// <summary>Requests and push configurations between 1.0 and what 0.3 has over plain HTTP.</summary>
internal static class RequestsRest
{
    public static SendRequest Send(RestSend send) => new()
    {
        Message = ConvertRest.Message(send.Message ?? throw Check.Fault("message", "is missing"), "message"),
        Configuration = send.Configuration is { } configuration
            ? new SendConfiguration
            {
                AcceptedOutputModes = configuration.AcceptedOutputModes,
                // Nought is how protocol buffers leave a number out.
                HistoryLength = configuration.HistoryLength is 0 ? null : configuration.HistoryLength,
                // A boolean that isn't there is false to protocol buffers; without any configuration the server waits.
                ReturnImmediately = configuration.Blocking is not true,
                TaskPushNotificationConfig = configuration.PushNotification is { } push
                    ? Requests03.Push(push, null, "configuration.pushNotification")
                    : null,
            }
            : null,
        Metadata = send.Metadata,
    };

    public static RestSend Send(SendRequest request) => new()
    {
        Message = ConvertRest.Message(request.Message),
        Configuration = request.Configuration is { } configuration
            ? new RestConfiguration
            {
                AcceptedOutputModes = configuration.AcceptedOutputModes,
                HistoryLength = configuration.HistoryLength,
                Blocking = !configuration.ReturnImmediately,
                PushNotification = configuration.TaskPushNotificationConfig is { } push ? Requests03.Push(push) : null,
            }
            : null,
        Metadata = request.Metadata,
    };

    /// <summary>A configuration as it is read back: its name says whose it is.</summary>
    public static PushConfig Push(RestPush push) => Requests03.TaskPush(new TaskPush03
    {
        TaskId = push.Name?.Split('/') is ["tasks", { Length: > 0 } task, ..] ? task : throw Check.Fault("name", "names no task"),
        PushNotificationConfig = push.PushNotificationConfig,
    });

    public static RestPush Push(PushConfig config) => new()
    {
        Name = $"tasks/{config.TaskId}/pushNotificationConfigs/{config.Id}",
        PushNotificationConfig = Requests03.Push(config),
    };

    /// <summary>A configuration that is to be set. The task is the path's; what the body says of it may be left out.</summary>
    public static PushConfig Create(RestPushCreate create)
    {
        var config = create.Config ?? new RestPush { Name = create.Name, PushNotificationConfig = create.PushNotificationConfig };
        var push = config.PushNotificationConfig ?? throw Check.Fault("config.pushNotificationConfig", "is missing");
        var read = Requests03.Push(push, null, "config.pushNotificationConfig");
        var task = (create.Parent ?? config.Name)?.Split('/') is ["tasks", { Length: > 0 } named, ..] ? named : null;
        return read with { TaskId = task, Id = read.Id is { Length: > 0 } id ? id : create.ConfigId };
    }

    public static RestPushCreate Create(PushConfig config) => new()
    {
        Parent = $"tasks/{config.TaskId}",
        ConfigId = config.Id ?? "",
        Config = Push(config),
    };

    public static ListPushConfigsResult Pushes(RestPushes list) => new()
    {
        Configs = Check.Map(list.Configs, "configs", static (push, _) => Push(push)) ?? [],
        NextPageToken = list.NextPageToken is { Length: > 0 } token ? token : null,
    };

    public static RestPushes Pushes(ListPushConfigsResult result) => new()
    {
        Configs = Check.Map(result.Configs, Push),
        NextPageToken = result.NextPageToken,
    };
}
