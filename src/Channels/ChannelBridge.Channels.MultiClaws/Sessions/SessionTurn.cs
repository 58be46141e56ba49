using ChannelBridge.A2A;
using ChannelBridge.Channels.MultiClaws.Agents;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>A turn while it is at work.</summary>
/// <param name="session">The session.</param>
/// <param name="agent">The other agent.</param>
/// <param name="number">Our message.</param>
/// <param name="text">Its text.</param>
/// <param name="taskId">The task that it has become, where that was known before.</param>
/// <param name="deadlineMs">When it counts as failed.</param>
/// <param name="abort">Stops it.</param>
/// <param name="either">Signalled when it is to stop, whatever for.</param>
internal sealed class SessionTurn(
    LiveSession session, AgentEntry agent, int number, string text, string? taskId, long deadlineMs, CancellationTokenSource abort, CancellationToken either)
{
    private bool _begun;

    public LiveSession Session => session;

    public AgentEntry Agent => agent;

    public int Number => number;

    public long DeadlineMs => deadlineMs;

    public CancellationToken Either => either;

    /// <summary>What the other agent has told.</summary>
    public RemoteTurn Remote { get; private set; } = new(null, null, null, isOld: false);

    /// <summary>The task that our message has become or goes on with; null until the other agent has taken it.</summary>
    public string? TaskId { get; private set; } = taskId;

    /// <summary>True when the other agent was ever heard.</summary>
    public bool Heard { get; set; } = taskId is not null || session.Head.LastAgent > 0 || session.Head.TaskWaits;

    /// <summary>When growth was last told.</summary>
    public long GrewAt { get; set; }

    /// <summary>The write of what the other agent told first.</summary>
    public Task Saving { get; set; } = Task.CompletedTask;

    /// <summary>The other agent has the message.</summary>
    public void Know(string id) => TaskId = id;

    /// <summary>From here on it is listened to; a second call changes nothing.</summary>
    public void Begin(bool isOld)
    {
        if (_begun) return;
        _begun = true;
        var head = session.Head;
        if (Remote.Outcome is RemoteOutcome.None)
            Remote = new RemoteTurn(TaskId ?? (head.TaskWaits ? head.CurrentTaskId : null), head.Seen, head.TaskWaits ? head.Asked : null, isOld);
        session.Enter(Remote, abort);
    }

    /// <summary>The message as it is sent, the same each time.</summary>
    public SendRequest Request() => RequestOf(session.Head, number, text);

    /// <summary>A message of a session as it is sent.</summary>
    public static SendRequest RequestOf(SessionHead head, int number, string text) => new()
    {
        Message = new A2AMessage
        {
            MessageId = head.MessageIdOf(number),
            ContextId = head.ContextId,
            TaskId = head.TaskWaits ? head.CurrentTaskId : null,
            Role = MessageRole.User,
            Parts = [A2APart.OfText(text)],
            Metadata = Chains.ToMetadata(head.Chain),
        },
    };
}
