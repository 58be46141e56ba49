using System.Text;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>A change of a session: how it stands then, what is written with it, and what its conversation is told.</summary>
/// <param name="Head">The session after it.</param>
/// <param name="Added">Messages that were added, with their numbers.</param>
/// <param name="Gone">Numbers of messages that made room.</param>
/// <param name="Notice">What the conversation that asked is told, or null.</param>
internal sealed record SessionStep(SessionHead Head, IReadOnlyList<(int Number, SessionMessage Message)> Added, IReadOnlyList<int> Gone, NoticeKind? Notice);

/// <summary>
/// What may become of a session. Nothing here waits or writes: each function makes the next state of the one that it is given, or says that there is none. Whatever comes
/// in whatever order, an ended session stays as it ended, and each end and each question is told once.
/// </summary>
internal static class SessionMachine
{
    /// <summary>The largest message, in bytes of UTF-8.</summary>
    public const int MaxMessageBytes = 256 * 1024;

    /// <summary>Messages of a session that are kept.</summary>
    public const int MaxMessages = 200;

    /// <summary>Bytes of a session's messages that are kept.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    /// <summary>Our messages that may wait in a session.</summary>
    public const int MaxPending = 32;

    /// <summary>What a session that took too long says.</summary>
    public const string TimedOut = "session timeout";

    /// <summary>Adds one of our messages, to be sent after those before it.</summary>
    /// <returns>Null: the session has ended and takes none.</returns>
    public static SessionStep? Say(SessionHead head, string text, long now)
    {
        if (head.Ended) return null;
        var message = new SessionMessage { Role = "user", Content = text, TimestampMs = now };
        var (next, gone) = Add(head, message);
        return new SessionStep(
            next with { Status = SessionStatus.Active, Pending = [.. head.Pending, head.Next], UpdatedAtMs = now, Revision = head.Revision + 1 },
            [(head.Next, message)], gone, null);
    }

    /// <summary>The turn has begun at the other agent.</summary>
    /// <param name="head">The session.</param>
    /// <param name="taskId">The task that it belongs to, where it is known.</param>
    /// <param name="contextId">The conversation as the other agent names it, where it does.</param>
    /// <param name="deadline">When the turn counts as failed.</param>
    /// <param name="now">Now.</param>
    public static SessionStep? Began(SessionHead head, string? taskId, string? contextId, long deadline, long now)
    {
        if (head.Pending.Count == 0) return null;
        return new SessionStep(
            head with
            {
                Turn = new TurnMark(head.Pending[0], taskId, deadline),
                CurrentTaskId = taskId ?? head.CurrentTaskId,
                ContextId = contextId is { Length: > 0 } ? contextId : head.ContextId,
                CancelTask = head.CancelTask is { Length: 0 } && taskId is not null ? taskId : head.CancelTask,
                UpdatedAtMs = now,
                Revision = head.Revision + 1,
            },
            [], [], null);
    }

    /// <summary>The turn at work has come out.</summary>
    /// <returns>Null: the session has ended before, or no turn is at work.</returns>
    public static SessionStep? Came(SessionHead head, RemoteTurn turn, long now)
    {
        if (head.Ended || head.Pending.Count == 0 || turn.Outcome is RemoteOutcome.None) return null;
        var text = Cut(turn.Text, out var cut);
        var left = head.Pending.Skip(1).ToList();
        // Where a reply waits already, a turn's good end isn't the session's, and a question is answered.
        var goesOn = left.Count > 0 && (turn.Outcome is RemoteOutcome.Completed or RemoteOutcome.InputRequired);
        var status = goesOn ? SessionStatus.Active : turn.Outcome switch
        {
            RemoteOutcome.InputRequired => SessionStatus.InputRequired,
            RemoteOutcome.Completed => SessionStatus.Completed,
            RemoteOutcome.Canceled => SessionStatus.Canceled,
            _ => SessionStatus.Failed,
        };
        var error = status switch
        {
            SessionStatus.Failed => text.Length > 0 && !turn.IsGivenUp ? text : turn.Reason ?? "remote task failed",
            SessionStatus.Canceled => "the agent has canceled the task",
            _ => null,
        };
        var added = text.Length > 0 ? new SessionMessage { Role = "agent", Content = text, TimestampMs = now, TaskId = turn.TaskId } : null;
        var (next, gone) = added is null ? (head, []) : Add(head, added);
        next = next with
        {
            Status = status,
            Error = error is { Length: > 2000 } ? string.Concat(error.AsSpan(0, 2000), "…") : error,
            // A task that waits is gone on with; after any other end the next message begins one.
            CurrentTaskId = turn.TaskId ?? head.CurrentTaskId,
            ContextId = turn.ContextId is { Length: > 0 } context ? context : head.ContextId,
            Turn = null,
            // Nobody waits for it any more, whether the agent was heard since this host's last start or not.
            CancelTask = turn.IsGivenUp ? turn.TaskId ?? TaskOf(head) : null,
            Pending = SessionStatus.IsEnded(status) ? [] : left,
            TaskWaits = turn.Outcome is RemoteOutcome.InputRequired,
            Asked = turn.Question,
            Seen = turn.Outcome is RemoteOutcome.InputRequired ? turn.Made : null,
            LastAgent = added is null ? head.LastAgent : head.Next,
            Truncated = next.Truncated || cut,
            UpdatedAtMs = now,
            Revision = head.Revision + 1,
        };
        NoticeKind? notice = status switch
        {
            SessionStatus.Completed => NoticeKind.Completed,
            SessionStatus.InputRequired => NoticeKind.Input,
            SessionStatus.Failed or SessionStatus.Canceled => NoticeKind.Failed,
            _ => null,
        };
        return new SessionStep(next, added is null ? [] : [(head.Next, added)], gone, notice);
    }

    /// <summary>This side ends the session: what runs at the other agent is to be cancelled there.</summary>
    /// <param name="head">The session.</param>
    /// <param name="status">How it ends: canceled or failed.</param>
    /// <param name="error">Why, or null.</param>
    /// <param name="isSent">True: the message at work may be at the other agent, though no task of it is known.</param>
    /// <param name="now">Now.</param>
    /// <returns>Null: it has ended already.</returns>
    public static SessionStep? End(SessionHead head, string status, string? error, bool isSent, long now)
    {
        if (head.Ended) return null;
        var task = TaskOf(head);
        var unknown = task is null && isSent && head.Pending.Count > 0;
        return new SessionStep(
            head with
            {
                Status = status,
                Error = error,
                CancelTask = unknown ? "" : task,
                Pending = unknown ? [head.Pending[0]] : [],
                UpdatedAtMs = now,
                Revision = head.Revision + 1,
            },
            [], [], status == SessionStatus.Failed ? NoticeKind.Failed : null);
    }

    /// <summary>Nothing runs at the other agent any more, as far as can be known.</summary>
    public static SessionHead Settled(SessionHead head) => head with { CancelTask = null, Turn = null, Pending = head.Ended ? [] : head.Pending, Revision = head.Revision + 1 };

    /// <summary>A text as long as a message may be.</summary>
    public static string Cut(string text, out bool cut)
    {
        cut = Encoding.UTF8.GetByteCount(text) > MaxMessageBytes;
        if (!cut) return text;
        const string Mark = "\n[cut off]";
        var bytes = Encoding.UTF8.GetBytes(text);
        var end = MaxMessageBytes - Mark.Length;
        while ((bytes[end] & 0xC0) == 0x80) end--;
        return Encoding.UTF8.GetString(bytes, 0, end) + Mark;
    }

    /// <summary>What the message at work has become at the other agent or goes on with there, as far as it is on disk.</summary>
    private static string? TaskOf(SessionHead head) => head.Turn?.TaskId ?? (head.TaskWaits ? head.CurrentTaskId : null);

    private static (SessionHead Head, List<int> Gone) Add(SessionHead head, SessionMessage message)
    {
        var sizes = new List<int>(head.Sizes) { Encoding.UTF8.GetByteCount(message.Content) };
        var (first, bytes, gone) = (head.First, sizes.Sum(static size => (long)size), new List<int>());
        while (sizes.Count > MaxMessages || bytes > MaxBytes)
        {
            // What is still to be sent stays.
            if (head.Pending.Contains(first)) break;
            bytes -= sizes[0];
            sizes.RemoveAt(0);
            gone.Add(first++);
        }

        return (head with { First = first, Next = head.Next + 1, Sizes = sizes, Truncated = head.Truncated || gone.Count > 0 }, gone);
    }
}
