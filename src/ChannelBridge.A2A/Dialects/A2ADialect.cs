using ChannelBridge.A2A.Json;
using ChannelBridge.A2A.V03;
using ChannelBridge.A2A.V03Rest;

namespace ChannelBridge.A2A;

/// <summary>
/// How a version writes its records over one transport. The records are those of 1.0 always; 0.3 is a way to spell them, and has two: one
/// over JSON-RPC and another one over plain HTTP. Clients and servers read and write by the same codecs.
/// </summary>
public sealed class A2ADialect
{
    private A2ADialect(string version) => Version = version;

    /// <summary>1.0, over either transport.</summary>
    public static A2ADialect V10 { get; } = new(Versions.V10)
    {
        Send = A2ACodec<SendRequest>.Direct(A2AJson.Relaxed.SendRequest, Check.Send),
        SendResult = A2ACodec<SendResult>.Direct(A2AJson.Relaxed.SendResult, Check.Result),
        Item = A2ACodec<StreamItem>.Direct(A2AJson.Relaxed.StreamItem, Check.Item),
        Task = A2ACodec<A2ATask>.Direct(A2AJson.Relaxed.A2ATask, static task => Check.Task(task, "$")),
        Get = A2ACodec<GetTaskRequest>.Direct(A2AJson.Relaxed.GetTaskRequest, Check.Get),
        List = A2ACodec<ListTasksRequest>.Direct(A2AJson.Relaxed.ListTasksRequest, Check.List),
        ListResult = A2ACodec<ListTasksResult>.Direct(A2AJson.Relaxed.ListTasksResult, Check.Tasks),
        Cancel = A2ACodec<CancelTaskRequest>.Direct(A2AJson.Relaxed.CancelTaskRequest, static request => Check.Needed(request.Id, "id")),
        Subscribe = A2ACodec<SubscribeRequest>.Direct(A2AJson.Relaxed.SubscribeRequest, static request => Check.Needed(request.Id, "id")),
        Push = A2ACodec<PushConfig>.Direct(A2AJson.Relaxed.PushConfig, Check.Push),
        PushResult = A2ACodec<PushConfig>.Direct(A2AJson.Relaxed.PushConfig, Check.Push),
        PushId = A2ACodec<PushConfigRequest>.Direct(
            A2AJson.Relaxed.PushConfigRequest, static request => Check.Needed(request.TaskId, "taskId")),
        ListPush = A2ACodec<ListPushConfigsRequest>.Direct(
            A2AJson.Relaxed.ListPushConfigsRequest, static request => Check.Needed(request.TaskId, "taskId")),
        Pushes = A2ACodec<ListPushConfigsResult>.Direct(A2AJson.Relaxed.ListPushConfigsResult, Check.Pushes),
        Card = A2ACodec<AgentCard>.Via(
            CardJson03.Relaxed.Card03, ConvertCard03.From, ConvertCard03.To, static _ => { }).Writing(A2AJson.Relaxed.AgentCard),
    };

    /// <summary>0.3 over JSON-RPC.</summary>
    public static A2ADialect V03 { get; } = new(Versions.V03)
    {
        Send = A2ACodec<SendRequest>.Via(Json03.Relaxed.Send03, Requests03.Send, Requests03.Send, Check.Send),
        SendResult = A2ACodec<SendResult>.Via(Json03.Relaxed.Item03, Convert03.Result, Convert03.Result, Check.Result),
        Item = A2ACodec<StreamItem>.Via(Json03.Relaxed.Item03, Convert03.Item, Convert03.Item, Check.Item),
        Task = A2ACodec<A2ATask>.Via(
            Json03.Relaxed.Item03, static item => Convert03.Task(item, "$"), Convert03.Task, static task => Check.Task(task, "$")),
        Get = A2ACodec<GetTaskRequest>.Via(Json03.Relaxed.TaskId03, Requests03.Get, Requests03.Get, Check.Get),
        Cancel = A2ACodec<CancelTaskRequest>.Via(Json03.Relaxed.TaskId03, Requests03.Cancel, Requests03.Cancel, static _ => { }),
        Subscribe = A2ACodec<SubscribeRequest>.Via(Json03.Relaxed.TaskId03, Requests03.Subscribe, Requests03.Subscribe, static _ => { }),
        Push = A2ACodec<PushConfig>.Via(Json03.Relaxed.TaskPush03, Requests03.TaskPush, Requests03.TaskPush, Check.Push),
        PushResult = A2ACodec<PushConfig>.Via(Json03.Relaxed.TaskPush03, Requests03.TaskPush, Requests03.TaskPush, Check.Push),
        PushId = A2ACodec<PushConfigRequest>.Via(Json03.Relaxed.TaskId03, Requests03.PushId, Requests03.PushId, static _ => { }),
        ListPush = A2ACodec<ListPushConfigsRequest>.Via(Json03.Relaxed.TaskId03, Requests03.ListPush, Requests03.ListPush, static _ => { }),
        Pushes = A2ACodec<ListPushConfigsResult>.Via(
            Json03.Relaxed.IReadOnlyListTaskPush03, Requests03.Pushes, Requests03.Pushes, Check.Pushes),
        Card = A2ACodec<AgentCard>.Via(CardJson03.Relaxed.Card03, ConvertCard03.From, ConvertCard03.To, static _ => { }),
    };

    /// <summary>0.3 over plain HTTP.</summary>
    public static A2ADialect V03Rest { get; } = new(Versions.V03)
    {
        Send = A2ACodec<SendRequest>.Via(RestJson.Relaxed.RestSend, RequestsRest.Send, RequestsRest.Send, Check.Send),
        SendResult = A2ACodec<SendResult>.Via(RestJson.Relaxed.RestItem, ConvertRest.Result, ConvertRest.Result, Check.Result),
        Item = A2ACodec<StreamItem>.Via(RestJson.Relaxed.RestItem, ConvertRest.Item, ConvertRest.Item, Check.Item),
        Task = A2ACodec<A2ATask>.Via(
            RestJson.Relaxed.RestTask, static task => ConvertRest.Task(task, "$"), ConvertRest.Task, static task => Check.Task(task, "$")),
        Get = V03.Get,
        Cancel = V03.Cancel,
        Subscribe = V03.Subscribe,
        Push = A2ACodec<PushConfig>.Via(
            RestJson.Relaxed.RestPushCreate, RequestsRest.Create, RequestsRest.Create, static config =>
                Check.Needed(config.Url, "config.pushNotificationConfig.url")),
        PushResult = A2ACodec<PushConfig>.Via(RestJson.Relaxed.RestPush, RequestsRest.Push, RequestsRest.Push, Check.Push),
        PushId = V03.PushId,
        ListPush = V03.ListPush,
        Pushes = A2ACodec<ListPushConfigsResult>.Via(RestJson.Relaxed.RestPushes, RequestsRest.Pushes, RequestsRest.Pushes, Check.Pushes),
        Card = V03.Card,
    };

    /// <summary><see cref="Versions.V03"/> or <see cref="Versions.V10"/>.</summary>
    public string Version { get; }

    /// <summary>A send.</summary>
    public required A2ACodec<SendRequest> Send { get; init; }

    /// <summary>The answer to a send.</summary>
    public required A2ACodec<SendResult> SendResult { get; init; }

    /// <summary>An event of a stream.</summary>
    public required A2ACodec<StreamItem> Item { get; init; }

    /// <summary>A task.</summary>
    public required A2ACodec<A2ATask> Task { get; init; }

    /// <summary>A question for a task.</summary>
    public required A2ACodec<GetTaskRequest> Get { get; init; }

    /// <summary>A question for tasks; null where the version has none.</summary>
    public A2ACodec<ListTasksRequest>? List { get; init; }

    /// <summary>A page of tasks; null where the version has none.</summary>
    public A2ACodec<ListTasksResult>? ListResult { get; init; }

    /// <summary>A wish to cancel.</summary>
    public required A2ACodec<CancelTaskRequest> Cancel { get; init; }

    /// <summary>A wish to hear more of a task.</summary>
    public required A2ACodec<SubscribeRequest> Subscribe { get; init; }

    /// <summary>A push configuration that is to be set.</summary>
    public required A2ACodec<PushConfig> Push { get; init; }

    /// <summary>A push configuration as it is read back.</summary>
    public required A2ACodec<PushConfig> PushResult { get; init; }

    /// <summary>Names a push configuration.</summary>
    public required A2ACodec<PushConfigRequest> PushId { get; init; }

    /// <summary>A question for the push configurations of a task.</summary>
    public required A2ACodec<ListPushConfigsRequest> ListPush { get; init; }

    /// <summary>The push configurations of a task.</summary>
    public required A2ACodec<ListPushConfigsResult> Pushes { get; init; }

    /// <summary>A card; cards of either shape are read.</summary>
    public required A2ACodec<AgentCard> Card { get; init; }

    /// <summary>Reads a send, for a server: a push configuration in it knows the version that it came by.</summary>
    internal SendRequest ReadSend(ReadOnlySpan<byte> utf8)
    {
        var send = Send.Read(utf8);
        return send.Configuration is { TaskPushNotificationConfig: { } push } configuration
            ? send with { Configuration = configuration with { TaskPushNotificationConfig = push with { Version = Version } } }
            : send;
    }

    /// <summary>Reads a push configuration, for a server.</summary>
    internal PushConfig ReadPush(ReadOnlySpan<byte> utf8) => Push.Read(utf8) with { Version = Version };
}
