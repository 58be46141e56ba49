namespace ChannelBridge.A2A;

/// <summary>What a task is doing. Spelled by each version in its own way; see <see cref="TaskStates"/> for what a state means.</summary>
public enum TaskState
{
    /// <summary>Not said, or not known.</summary>
    Unspecified = 0,

    /// <summary>Taken, not begun.</summary>
    Submitted = 1,

    /// <summary>The agent is at it.</summary>
    Working = 2,

    /// <summary>Ended well.</summary>
    Completed = 3,

    /// <summary>Ended badly.</summary>
    Failed = 4,

    /// <summary>Ended because somebody asked for it.</summary>
    Canceled = 5,

    /// <summary>Waits for another message of the client.</summary>
    InputRequired = 6,

    /// <summary>The agent would not do it.</summary>
    Rejected = 7,

    /// <summary>Waits for the client to authenticate somewhere.</summary>
    AuthRequired = 8,
}

/// <summary>Who wrote a message.</summary>
public enum MessageRole
{
    /// <summary>Not said.</summary>
    Unspecified = 0,

    /// <summary>The client.</summary>
    User = 1,

    /// <summary>The agent.</summary>
    Agent = 2,
}
