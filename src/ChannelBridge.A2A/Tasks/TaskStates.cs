namespace ChannelBridge.A2A;

/// <summary>What the states of a task mean, and which may follow which.</summary>
public static class TaskStates
{
    /// <summary>Completed, failed, canceled or rejected: nothing follows.</summary>
    public static bool IsTerminal(TaskState state) =>
        state is TaskState.Completed or TaskState.Failed or TaskState.Canceled or TaskState.Rejected;

    /// <summary>The task waits for its client: for a message, or for an authentication.</summary>
    public static bool IsInterrupted(TaskState state) => state is TaskState.InputRequired or TaskState.AuthRequired;

    /// <summary>A send that waits is answered in such a state, and a stream ends with it.</summary>
    public static bool EndsStream(TaskState state) => IsTerminal(state) || IsInterrupted(state);

    /// <summary>
    /// True when a task in one state may go to the other: from an ended one nowhere; back to submitted never, but from a waiting one, whose
    /// next message is submitted. A state may be told again with another message.
    /// </summary>
    public static bool MayFollow(TaskState from, TaskState to)
    {
        if (to is TaskState.Unspecified || IsTerminal(from)) return false;
        return to is not TaskState.Submitted || from is TaskState.Unspecified or TaskState.Submitted || IsInterrupted(from);
    }
}
