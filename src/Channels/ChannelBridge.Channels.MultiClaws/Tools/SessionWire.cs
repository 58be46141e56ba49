using System.ComponentModel;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Channels.MultiClaws.Sessions;

namespace ChannelBridge.Channels.MultiClaws.Tools;

/// <summary>The conversation that is told what becomes of a session: a session of the gateway, a target, or a lane.</summary>
internal sealed record OriginParams
{
    [Description("A session of the gateway, e.g. agent:main:main; beside channel and route: a lane's key.")]
    public string? SessionKey { get; init; }

    [Description("A channel of this host, for a target or a lane.")]
    public string? Channel { get; init; }

    [Description("The channel's account; may be left out where the channel means one then.")]
    public string? AccountId { get; init; }

    [Description("A target as people write it for the channel.")]
    public string? Target { get; init; }

    [Description("A lane's route.")]
    public string? Route { get; init; }
}

/// <summary>Parameters of <c>session.start</c>.</summary>
internal sealed record StartParams
{
    [Description("The agent's address, one of those that agents.list has.")]
    public string? AgentUrl { get; init; }

    [Description("The first message, 256 KiB at most.")]
    public string? Message { get; init; }

    [Description("How long each turn of the session may take, in milliseconds; else Channels:MultiClaws:SessionTimeout.")]
    public long? TimeoutMs { get; init; }

    [Description("The conversation that is told when the session completes, needs input or fails. Through the gateway it is agent:main:main where none is named.")]
    public OriginParams? Origin { get; init; }
}

/// <summary>Arguments of <c>multiclaws_session_start</c>.</summary>
internal sealed record StartArguments
{
    [Description("The agent's url, as multiclaws_agents lists it.")]
    public required string AgentUrl { get; init; }

    [Description("What to ask or tell it.")]
    public required string Message { get; init; }
}

/// <summary>Result of <c>session.start</c>.</summary>
/// <param name="SessionId">The session; empty when there is none.</param>
/// <param name="Status"><c>running</c>, or <c>failed</c> with an error.</param>
/// <param name="Error">Why there is no session.</param>
internal sealed record StartResult(string SessionId, string Status, string? Error);

/// <summary>Parameters of <c>session.reply</c>.</summary>
internal sealed record ReplyParams
{
    [Description("The session.")]
    public string? SessionId { get; init; }

    [Description("The message, 256 KiB at most.")]
    public string? Message { get; init; }
}

/// <summary>Arguments of <c>multiclaws_session_reply</c>.</summary>
internal sealed record ReplyArguments
{
    [Description("The session's id.")]
    public required string SessionId { get; init; }

    [Description("The reply.")]
    public required string Message { get; init; }
}

/// <summary>Result of <c>session.reply</c>.</summary>
/// <param name="SessionId">The session.</param>
/// <param name="Status"><c>ok</c>, or <c>failed</c> with an error.</param>
/// <param name="Error">Why it wasn't sent.</param>
internal sealed record ReplyResult(string SessionId, string Status, string? Error);

/// <summary>Parameters of <c>session.status</c>.</summary>
internal sealed record StatusParams
{
    [Description("The session; all of them when it is left out.")]
    public string? SessionId { get; init; }

    [Description("Without a session: the last changed so many, 1 to 1000.")]
    public int? Limit { get; init; }
}

/// <summary>Arguments of <c>multiclaws_session_status</c>.</summary>
internal sealed record StatusArguments
{
    [Description("The session's id; leave it out to list all sessions.")]
    public string? SessionId { get; init; }
}

/// <summary>Result of <c>session.status</c> without a session.</summary>
/// <param name="Sessions">The sessions, the one that changed last first.</param>
internal sealed record SessionList(IReadOnlyList<ConversationSession> Sessions);

/// <summary>Parameters of <c>session.wait_all</c>.</summary>
internal sealed record WaitParams
{
    [Description("The sessions, 1 to 1000.")]
    public IReadOnlyList<string>? SessionIds { get; init; }

    [Description("How long to wait, in milliseconds; 300000 if it isn't said.")]
    public long? TimeoutMs { get; init; }
}

/// <summary>Arguments of <c>multiclaws_session_wait_all</c>.</summary>
internal sealed record WaitArguments
{
    [Description("The ids of the sessions.")]
    public required IReadOnlyList<string> SessionIds { get; init; }

    [Description("How long to wait, in milliseconds; 300000 if it isn't said.")]
    public long? TimeoutMs { get; init; }
}

/// <summary>Parameters that name a session.</summary>
internal sealed record EndParams
{
    [Description("The session.")]
    public string? SessionId { get; init; }
}

/// <summary>Arguments that name a session.</summary>
internal sealed record EndArguments
{
    [Description("The session's id.")]
    public required string SessionId { get; init; }
}

/// <summary>Result of <c>session.end</c>.</summary>
/// <param name="Ended">False: there is no such session, or it had ended before and stays as it ended.</param>
internal sealed record EndResult(bool Ended);

/// <summary>Parameters of <c>task.delegate</c>.</summary>
internal sealed record DelegateParams
{
    [Description("The agent's address, one of those that agents.list has.")]
    public string? AgentUrl { get; init; }

    [Description("The task, 256 KiB at most.")]
    public string? Task { get; init; }
}

/// <summary>Arguments of <c>multiclaws_delegate</c>.</summary>
internal sealed record DelegateArguments
{
    [Description("The agent's url, as multiclaws_agents lists it.")]
    public required string AgentUrl { get; init; }

    [Description("The task.")]
    public required string Task { get; init; }
}

/// <summary>Result of <c>task.delegate</c>.</summary>
/// <param name="TaskId">The task: it is a session's id, too.</param>
/// <param name="Output">What the agent answered.</param>
/// <param name="Status"><c>completed</c>, <c>failed</c>, <c>canceled</c> or <c>input-required</c>.</param>
/// <param name="Error">Why it failed.</param>
internal sealed record DelegateResult(string? TaskId, string? Output, string Status, string? Error);

/// <summary>Parameters of <c>task.status</c>.</summary>
internal sealed record TaskParams
{
    [Description("The task.")]
    public string? TaskId { get; init; }
}

/// <summary>Arguments of <c>multiclaws_task_status</c>.</summary>
internal sealed record TaskArguments
{
    [Description("The task's id.")]
    public required string TaskId { get; init; }
}

/// <summary>Result of <c>task.status</c>.</summary>
/// <param name="Task">The task.</param>
internal sealed record TaskResult(TaskView Task);

/// <summary>A delegated task.</summary>
internal sealed record TaskView
{
    [Description("The task's id.")]
    public required string TaskId { get; init; }

    [Description("Who delegated it: local.")]
    public string FromPeerId { get; init; } = "local";

    [Description("The agent's address.")]
    public required string ToPeerId { get; init; }

    [Description("What was asked.")]
    public required string Task { get; init; }

    [Description("queued, running, input-required, completed, failed or canceled.")]
    public required string Status { get; init; }

    [Description("When it was delegated (Unix ms).")]
    public long CreatedAtMs { get; init; }

    [Description("When it last changed (Unix ms).")]
    public long UpdatedAtMs { get; init; }

    [Description("What the agent answered.")]
    public string? Result { get; init; }

    [Description("Why it failed.")]
    public string? Error { get; init; }
}

/// <summary>Serialization of the methods and tools.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StartParams))]
[JsonSerializable(typeof(StartArguments))]
[JsonSerializable(typeof(StartResult))]
[JsonSerializable(typeof(ReplyParams))]
[JsonSerializable(typeof(ReplyArguments))]
[JsonSerializable(typeof(ReplyResult))]
[JsonSerializable(typeof(StatusParams))]
[JsonSerializable(typeof(StatusArguments))]
[JsonSerializable(typeof(StatusResult))]
[JsonSerializable(typeof(ConversationSession))]
[JsonSerializable(typeof(SessionList))]
[JsonSerializable(typeof(WaitParams))]
[JsonSerializable(typeof(WaitArguments))]
[JsonSerializable(typeof(WaitOutcome))]
[JsonSerializable(typeof(EndParams))]
[JsonSerializable(typeof(EndArguments))]
[JsonSerializable(typeof(EndResult))]
[JsonSerializable(typeof(DelegateParams))]
[JsonSerializable(typeof(DelegateArguments))]
[JsonSerializable(typeof(DelegateResult))]
[JsonSerializable(typeof(TaskParams))]
[JsonSerializable(typeof(TaskArguments))]
[JsonSerializable(typeof(TaskResult))]
internal sealed partial class SessionWireJson : JsonSerializerContext
{
    /// <summary>With texts of all languages as they are.</summary>
    public static SessionWireJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}

/// <summary>Result of <c>session.status</c>: the session's members, or <c>sessions</c>.</summary>
internal sealed record StatusResult
{
    [Description("Without a session id: the sessions, the one that changed last first.")]
    public IReadOnlyList<ConversationSession>? Sessions { get; init; }

    [Description("The session's id.")]
    public string? SessionId { get; init; }

    [Description("The other agent's address.")]
    public string? AgentUrl { get; init; }

    [Description("The other agent's name.")]
    public string? AgentName { get; init; }

    [Description("The conversation at the other agent.")]
    public string? ContextId { get; init; }

    [Description("The task at the other agent, once there is one.")]
    public string? CurrentTaskId { get; init; }

    [Description("active, input-required, completed, failed or canceled.")]
    public string? Status { get; init; }

    [Description("What was said, the oldest first; while the agent is speaking, the last one grows.")]
    public IReadOnlyList<SessionMessage>? Messages { get; init; }

    [Description("When it was started (Unix ms).")]
    public long? CreatedAtMs { get; init; }

    [Description("When it last changed (Unix ms).")]
    public long? UpdatedAtMs { get; init; }

    [Description("Why it failed.")]
    public string? Error { get; init; }

    [Description("True: some of the messages, or parts of one, aren't here because there are too many.")]
    public bool? Truncated { get; init; }

    /// <summary>A session as the result.</summary>
    public static StatusResult Of(ConversationSession session) => new()
    {
        SessionId = session.SessionId,
        AgentUrl = session.AgentUrl,
        AgentName = session.AgentName,
        ContextId = session.ContextId,
        CurrentTaskId = session.CurrentTaskId,
        Status = session.Status,
        Messages = session.Messages,
        CreatedAtMs = session.CreatedAtMs,
        UpdatedAtMs = session.UpdatedAtMs,
        Error = session.Error,
        Truncated = session.Truncated,
    };
}
