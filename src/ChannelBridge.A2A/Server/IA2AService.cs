using System.Diagnostics.CodeAnalysis;

namespace ChannelBridge.A2A.Server;

/// <summary>
/// What an agent's server does, whatever version and transport a client speaks: the doors (<see cref="JsonRpcDoor"/>, <see cref="RestDoor"/>) read
/// and write. Each call names the client that was authenticated; what isn't that client's is not found. A fault is an <see cref="A2AException"/>.
/// </summary>
public interface IA2AService
{
    /// <summary>
    /// The <see cref="A2AException.Code"/> of the fault for a message to a task that has ended (<see cref="A2AError.UnsupportedOperation"/>), by which the doors
    /// tell it in 0.3 with the number that its SDK has.
    /// </summary>
    const string TaskEnded = "TASK_ENDED";

    /// <summary>Sends a message. Unless its configuration says otherwise, the answer waits for the task's end.</summary>
    Task<SendResult> SendAsync(string client, SendRequest request, CancellationToken cancellationToken);

    /// <summary>Sends a message and tells what becomes of it. Faults before the first event are thrown by this call.</summary>
    Task<IA2AEvents> StreamAsync(string client, SendRequest request, CancellationToken cancellationToken);

    /// <summary>A task.</summary>
    Task<A2ATask> GetAsync(string client, GetTaskRequest request, CancellationToken cancellationToken);

    /// <summary>A page of the client's tasks.</summary>
    Task<ListTasksResult> ListAsync(string client, ListTasksRequest request, CancellationToken cancellationToken);

    /// <summary>Cancels a task and returns it as it stands then.</summary>
    Task<A2ATask> CancelAsync(string client, CancelTaskRequest request, CancellationToken cancellationToken);

    /// <summary>Tells of a task from now on. Faults before the first event are thrown by this call.</summary>
    Task<IA2AEvents> SubscribeAsync(string client, SubscribeRequest request, CancellationToken cancellationToken);

    /// <summary>Sets where a task's changes are posted to, and returns it without credentials.</summary>
    Task<PushConfig> SetPushAsync(string client, PushConfig config, CancellationToken cancellationToken);

    /// <summary>A push configuration without its credentials; with an empty id the task's first one.</summary>
    Task<PushConfig> GetPushAsync(string client, PushConfigRequest request, CancellationToken cancellationToken);

    /// <summary>The push configurations of a task, without their credentials.</summary>
    Task<ListPushConfigsResult> ListPushAsync(string client, ListPushConfigsRequest request, CancellationToken cancellationToken);

    /// <summary>Removes a push configuration.</summary>
    Task DeletePushAsync(string client, PushConfigRequest request, CancellationToken cancellationToken);

    /// <summary>The card that clients see who are known.</summary>
    Task<AgentCard> GetExtendedCardAsync(string client, ExtendedCardRequest request, CancellationToken cancellationToken);
}

/// <summary>The events of one stream, for one reader.</summary>
public interface IA2AEvents : IAsyncDisposable
{
    /// <summary>The next event, or null at the end.</summary>
    ValueTask<FeedEvent?> NextAsync(CancellationToken cancellationToken);

    /// <summary>
    /// The next event, if it is there already: what waits can be written at once. False: there is none yet, or this can't be told; <see cref="NextAsync"/> waits for it, or
    /// says that the stream has ended.
    /// </summary>
    bool TryNext([NotNullWhen(true)] out FeedEvent? item)
    {
        item = null;
        return false;
    }
}
