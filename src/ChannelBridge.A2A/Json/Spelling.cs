namespace ChannelBridge.A2A.Json;

/// <summary>How each version spells states and roles.</summary>
internal static class Spelling
{
    public static string State(TaskState state) => state switch
    {
        TaskState.Submitted => "TASK_STATE_SUBMITTED",
        TaskState.Working => "TASK_STATE_WORKING",
        TaskState.Completed => "TASK_STATE_COMPLETED",
        TaskState.Failed => "TASK_STATE_FAILED",
        TaskState.Canceled => "TASK_STATE_CANCELED",
        TaskState.InputRequired => "TASK_STATE_INPUT_REQUIRED",
        TaskState.Rejected => "TASK_STATE_REJECTED",
        TaskState.AuthRequired => "TASK_STATE_AUTH_REQUIRED",
        _ => "TASK_STATE_UNSPECIFIED",
    };

    /// <summary>Reads the spelling of 1.0, and the one with two Ls that 0.3 has over plain HTTP. Null: no such state.</summary>
    public static TaskState? State(string text) => text switch
    {
        "TASK_STATE_SUBMITTED" => TaskState.Submitted,
        "TASK_STATE_WORKING" => TaskState.Working,
        "TASK_STATE_COMPLETED" => TaskState.Completed,
        "TASK_STATE_FAILED" => TaskState.Failed,
        "TASK_STATE_CANCELED" or "TASK_STATE_CANCELLED" => TaskState.Canceled,
        "TASK_STATE_INPUT_REQUIRED" => TaskState.InputRequired,
        "TASK_STATE_REJECTED" => TaskState.Rejected,
        "TASK_STATE_AUTH_REQUIRED" => TaskState.AuthRequired,
        "TASK_STATE_UNSPECIFIED" => TaskState.Unspecified,
        _ => null,
    };

    public static string State03(TaskState state) => state switch
    {
        TaskState.Submitted => "submitted",
        TaskState.Working => "working",
        TaskState.Completed => "completed",
        TaskState.Failed => "failed",
        TaskState.Canceled => "canceled",
        TaskState.InputRequired => "input-required",
        TaskState.Rejected => "rejected",
        TaskState.AuthRequired => "auth-required",
        _ => "unknown",
    };

    /// <summary>Reads the spelling of 0.3. A state that nobody knows is unspecified: a client must go on with it.</summary>
    public static TaskState State03(string? text) => text switch
    {
        "submitted" => TaskState.Submitted,
        "working" => TaskState.Working,
        "completed" => TaskState.Completed,
        "failed" => TaskState.Failed,
        "canceled" => TaskState.Canceled,
        "input-required" => TaskState.InputRequired,
        "rejected" => TaskState.Rejected,
        "auth-required" => TaskState.AuthRequired,
        _ => TaskState.Unspecified,
    };

    public static string StateRest03(TaskState state) => state is TaskState.Canceled ? "TASK_STATE_CANCELLED" : State(state);

    public static string Role(MessageRole role) => role switch
    {
        MessageRole.User => "ROLE_USER",
        MessageRole.Agent => "ROLE_AGENT",
        _ => "ROLE_UNSPECIFIED",
    };

    public static MessageRole? Role(string text) => text switch
    {
        "ROLE_USER" => MessageRole.User,
        "ROLE_AGENT" => MessageRole.Agent,
        "ROLE_UNSPECIFIED" => MessageRole.Unspecified,
        _ => null,
    };

    public static string Role03(MessageRole role) => role is MessageRole.Agent ? "agent" : "user";

    public static MessageRole Role03(string? text) => text switch
    {
        "user" => MessageRole.User,
        "agent" => MessageRole.Agent,
        _ => MessageRole.Unspecified,
    };
}
