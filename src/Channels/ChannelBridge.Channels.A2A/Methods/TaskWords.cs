using ChannelBridge.A2A;

namespace ChannelBridge.Channels.A2A.Methods;

/// <summary>States as people write them: in the spelling of 0.3.</summary>
internal static class TaskWords
{
    private static readonly (TaskState State, string Word)[] All =
    [
        (TaskState.Submitted, "submitted"), (TaskState.Working, "working"), (TaskState.InputRequired, "input-required"), (TaskState.AuthRequired, "auth-required"),
        (TaskState.Completed, "completed"), (TaskState.Failed, "failed"), (TaskState.Canceled, "canceled"), (TaskState.Rejected, "rejected"),
    ];

    /// <summary>The word.</summary>
    public static string Of(TaskState state) => Array.Find(All, pair => pair.State == state).Word ?? "unknown";

    /// <summary>Reads a word, in either version's spelling. Null: it is none.</summary>
    public static TaskState? Read(string word)
    {
        var plain = word.StartsWith("TASK_STATE_", StringComparison.Ordinal) ? word["TASK_STATE_".Length..].Replace('_', '-') : word;
        var found = Array.Find(All, pair => string.Equals(pair.Word, plain, StringComparison.OrdinalIgnoreCase));
        return found.Word is null ? null : found.State;
    }
}
