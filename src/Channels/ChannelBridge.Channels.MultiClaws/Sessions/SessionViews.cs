using System.ComponentModel;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>What is asked of whom.</summary>
/// <param name="AgentUrl">The agent, as it was written.</param>
/// <param name="Message">The first message.</param>
/// <param name="TimeoutMs">How long a turn may take, or null: as the settings say.</param>
/// <param name="Origin">The conversation that asks, or null.</param>
/// <param name="Chain">The chain that led to that conversation.</param>
internal sealed record StartRequest(string AgentUrl, string Message, long? TimeoutMs, SessionOrigin? Origin, Chain Chain);

/// <summary>What came of a start.</summary>
/// <param name="SessionId">The session; empty when there is none.</param>
/// <param name="Status"><c>running</c> or <c>failed</c>.</param>
/// <param name="Error">Why there is none.</param>
internal sealed record StartOutcome(string SessionId, string Status, string? Error);

/// <summary>How a session stands after a wait.</summary>
/// <param name="SessionId">The session.</param>
/// <param name="AgentName">Its agent; <c>unknown</c> without one.</param>
/// <param name="Status">Its state, or <c>not_found</c>.</param>
/// <param name="LastMessage">The agent's last message.</param>
/// <param name="Error">Why it failed.</param>
internal sealed record SessionResult(string SessionId, string AgentName, string Status, string? LastMessage, string? Error);

/// <summary>What came of a wait.</summary>
/// <param name="Results">Each session, in the order in which they were named.</param>
/// <param name="TimedOut">True: the time was up first.</param>
internal sealed record WaitOutcome(IReadOnlyList<SessionResult> Results, bool TimedOut);

/// <summary>A session as clients see it.</summary>
internal sealed record ConversationSession
{
    [Description("The session's id.")]
    public required string SessionId { get; init; }

    [Description("The other agent's address.")]
    public required string AgentUrl { get; init; }

    [Description("The other agent's name.")]
    public required string AgentName { get; init; }

    [Description("The conversation at the other agent.")]
    public required string ContextId { get; init; }

    [Description("The task at the other agent, once there is one.")]
    public string? CurrentTaskId { get; init; }

    [Description("active, input-required, completed, failed or canceled.")]
    public required string Status { get; init; }

    [Description("What was said, the oldest first; while the agent is speaking, the last one grows.")]
    public required IReadOnlyList<SessionMessage> Messages { get; init; }

    [Description("When it was started (Unix ms).")]
    public long CreatedAtMs { get; init; }

    [Description("When it last changed (Unix ms).")]
    public long UpdatedAtMs { get; init; }

    [Description("Why it failed.")]
    public string? Error { get; init; }

    [Description("True: some of the messages, or parts of one, aren't here because there are too many.")]
    public bool? Truncated { get; init; }

    /// <summary>A session with its messages.</summary>
    public static ConversationSession Of(SessionHead head, IReadOnlyList<SessionMessage> messages, SessionMessage? live) => new()
    {
        SessionId = head.SessionId,
        AgentUrl = head.AgentUrl,
        AgentName = head.AgentName,
        ContextId = head.ContextId,
        CurrentTaskId = head.CurrentTaskId,
        Status = head.Status,
        Messages = live is null ? messages : [.. messages, live],
        CreatedAtMs = head.CreatedAtMs,
        UpdatedAtMs = head.UpdatedAtMs,
        Error = head.Error,
        Truncated = head.Truncated ? true : null,
    };
}
