namespace ChannelBridge.A2A.Client;

/// <summary>What the protocol can do, with the names that each version has for it.</summary>
internal sealed record Operation(string Name10, string? Name03, HttpMethod Verb)
{
    public static readonly Operation Send = new("SendMessage", "message/send", HttpMethod.Post);
    public static readonly Operation Stream = new("SendStreamingMessage", "message/stream", HttpMethod.Post);
    public static readonly Operation Get = new("GetTask", "tasks/get", HttpMethod.Get);
    public static readonly Operation List = new("ListTasks", null, HttpMethod.Get);
    public static readonly Operation Cancel = new("CancelTask", "tasks/cancel", HttpMethod.Post);
    public static readonly Operation Subscribe = new("SubscribeToTask", "tasks/resubscribe", HttpMethod.Post);
    public static readonly Operation SetPush = new("CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set", HttpMethod.Post);
    public static readonly Operation GetPush = new("GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get", HttpMethod.Get);
    public static readonly Operation ListPush = new("ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list", HttpMethod.Get);
    public static readonly Operation DeletePush = new(
        "DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete", HttpMethod.Delete);
    public static readonly Operation ExtendedCard = new("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard", HttpMethod.Get);
}

/// <summary>A call before it is known how it is spelled.</summary>
/// <param name="Operation">What.</param>
/// <param name="Body">Writes the parameters in a dialect; null: the version hasn't got it.</param>
/// <param name="Path">The path over plain HTTP, without version and tenant.</param>
internal sealed record Call(Operation Operation, Func<A2ADialect, byte[]?> Body, string Path)
{
    /// <summary>True when the parameters go as a body over plain HTTP, too.</summary>
    public bool HasRestBody { get; init; }

    public string? Tenant { get; init; }

    /// <summary>The answer may begin when the task has ended only.</summary>
    public bool Waits { get; init; }

    public bool Streams { get; init; }
}
