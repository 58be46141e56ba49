using System.Text;
using ChannelBridge.A2A;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>What has become of a turn at the other agent.</summary>
internal enum RemoteOutcome
{
    /// <summary>It is at work.</summary>
    None,
    InputRequired,
    Completed,
    Failed,
    Canceled,
}

/// <summary>
/// One turn as the other agent tells of it. Whatever comes in whatever order: it belongs to one task, its outcome is decided once and stays, and what comes after that is
/// ignored. Not for several threads at once.
/// </summary>
/// <param name="expected">The task that the turn goes on with, or null.</param>
/// <param name="seen">What earlier turns of the task have made, by id and size.</param>
/// <param name="asked">The id of the question that our message answers: seen again, it isn't a new one.</param>
/// <param name="isOld">True: the agent speaks version 0.3, where published MultiClaws nodes tell their faults as texts.</param>
internal sealed class RemoteTurn(string? expected, IReadOnlyDictionary<string, int>? seen, string? asked, bool isOld)
{
    private const int MostSeen = 100;
    private readonly List<Piece> _pieces = [];
    private TaskState _state;
    private A2AMessage? _said;

    /// <summary>The task, once it is known.</summary>
    public string? TaskId { get; private set; }

    /// <summary>The conversation as the agent names it.</summary>
    public string? ContextId { get; private set; }

    /// <summary>How it came out.</summary>
    public RemoteOutcome Outcome { get; private set; }

    /// <summary>Why, where <see cref="Outcome"/> is <see cref="RemoteOutcome.Failed"/> and the agent gave no words.</summary>
    public string? Reason { get; private set; }

    /// <summary>True: this side has given it up, whatever the agent said until then; its task may still run there.</summary>
    public bool IsGivenUp { get; private set; }

    /// <summary>The id of the agent's question.</summary>
    public string? Question => Outcome is RemoteOutcome.InputRequired ? _said?.MessageId : null;

    /// <summary>What the task has made until now, by id and size.</summary>
    public IReadOnlyDictionary<string, int> Made
    {
        get
        {
            var made = new Dictionary<string, int>(seen ?? new Dictionary<string, int>(), StringComparer.Ordinal);
            foreach (var piece in _pieces) made[piece.Id] = piece.Size;
            return made.Count <= MostSeen ? made : made.Skip(made.Count - MostSeen).ToDictionary(StringComparer.Ordinal);
        }
    }

    /// <summary>What the agent says: the texts that it has made in this turn, else its last message.</summary>
    public string Text
    {
        get
        {
            var made = string.Join("\n", _pieces.Where(piece => seen?.GetValueOrDefault(piece.Id, -1) != piece.Size).Select(static piece => piece.Text.ToString())
                .Where(static text => text.Length > 0));
            var said = _said is null ? "" : TextOf(_said.Parts);
            if (made.Length == 0) return said;
            // A question is asked beside what was made until then.
            return Outcome is RemoteOutcome.InputRequired && said.Length > 0 && said != made ? $"{made}\n\n{said}" : made;
        }
    }

    /// <summary>Takes what the agent tells.</summary>
    /// <returns>True: something is new.</returns>
    public bool Apply(StreamItem item)
    {
        if (Outcome is not RemoteOutcome.None) return false;
        if (item.Message is { } message) return Answer(message);
        if (item.Task is { } task) return Look(task);
        if (item.StatusUpdate is { } status) return Begins(status.TaskId, status.ContextId) && Change(status.Status);
        return item.ArtifactUpdate is { } artifact && Begins(artifact.TaskId, artifact.ContextId) && Add(artifact);
    }

    /// <summary>Decides the outcome from this side: a time-out, an error of the call.</summary>
    public void Fail(string reason)
    {
        if (Outcome is not RemoteOutcome.None) return;
        Outcome = RemoteOutcome.Failed;
        Reason = reason;
        IsGivenUp = true;
    }

    /// <summary>The texts of parts; what isn't text is named.</summary>
    public static string TextOf(IReadOnlyList<A2APart> parts)
    {
        var text = new StringBuilder();
        foreach (var part in parts)
        {
            var words = part switch
            {
                { Text: { } said } => said,
                { Data: { } data } => data.GetRawText(),
                { Url: { } url } => $"[file {part.Filename ?? "without a name"}: {url}]",
                { Raw: { } raw } => $"[file {part.Filename ?? "without a name"}: {raw.Length} bytes]",
                _ => "",
            };
            if (words.Length == 0) continue;
            // Some agents keep a text that was said in pieces as so many parts.
            if (text.Length > 0 && !char.IsWhiteSpace(text[^1]) && !char.IsWhiteSpace(words[0])) text.Append('\n');
            text.Append(words);
        }

        return text.ToString();
    }

    private bool Answer(A2AMessage message)
    {
        // In the middle of a task a message is no answer of the protocol; the task goes on.
        if (TaskId is not null && _state is not TaskState.Unspecified) return false;
        _said = message;
        ContextId = message.ContextId ?? ContextId;
        TaskId = message.TaskId ?? TaskId;
        var text = TextOf(message.Parts);
        // Published MultiClaws nodes tell their faults as answers.
        var isFault = isOld && text.StartsWith("Error:", StringComparison.Ordinal);
        Outcome = isFault ? RemoteOutcome.Failed : RemoteOutcome.Completed;
        return true;
    }

    private bool Look(A2ATask task)
    {
        if (!Begins(task.Id, task.ContextId)) return Outcome is RemoteOutcome.Failed;
        if (!MayBecome(task.Status.State)) return false;
        _pieces.Clear();
        foreach (var artifact in task.Artifacts ?? []) _pieces.Add(new Piece(artifact));
        if (task.Status.Message is null && task.History is { } history && history.LastOrDefault(static said => said.Role is MessageRole.Agent) is { } last) _said = last;
        Change(task.Status);
        return true;
    }

    private bool Change(A2ATaskStatus status)
    {
        if (!MayBecome(status.State)) return false;
        if (status.Message is { } said && said.Role is not MessageRole.User) _said = said;
        _state = status.State;
        // The question that was answered just now is how the task stood before.
        var isStale = TaskStates.IsInterrupted(_state) && asked is { Length: > 0 } && status.Message?.MessageId == asked;
        if (isStale) return false;
        Outcome = _state switch
        {
            TaskState.InputRequired or TaskState.AuthRequired => RemoteOutcome.InputRequired,
            TaskState.Completed => RemoteOutcome.Completed,
            TaskState.Failed or TaskState.Rejected => RemoteOutcome.Failed,
            TaskState.Canceled => RemoteOutcome.Canceled,
            _ => RemoteOutcome.None,
        };
        if (Outcome is RemoteOutcome.Failed) Reason = _state is TaskState.Rejected ? "the agent has rejected the request" : "remote task failed";
        return true;
    }

    private bool Add(TaskArtifactUpdate update)
    {
        var known = _pieces.Find(piece => piece.Id == update.Artifact.ArtifactId);
        if (known is null) _pieces.Add(new Piece(update.Artifact));
        else if (update.Append) known.Append(update.Artifact);
        else known.Replace(update.Artifact);
        return true;
    }

    /// <summary>False: it is about another task, or about none.</summary>
    private bool Begins(string id, string context)
    {
        if (id.Length == 0) return false;
        if (TaskId is null && expected is not null && id != expected)
        {
            Fail("the agent has answered with another task than the one that it was asked about");
            return false;
        }

        if (TaskId is not null && TaskId != id) return false;
        TaskId = id;
        if (context.Length > 0) ContextId = context;
        return true;
    }

    private bool MayBecome(TaskState next) => _state == next || TaskStates.MayFollow(_state, next);

    /// <summary>Something that the task has made: its words, and how much of it there is.</summary>
    private sealed class Piece
    {
        public Piece(A2AArtifact artifact)
        {
            Id = artifact.ArtifactId;
            Replace(artifact);
        }

        public string Id { get; }

        public StringBuilder Text { get; } = new();

        public int Size { get; private set; }

        public void Replace(A2AArtifact artifact)
        {
            Text.Clear().Append(TextOf(artifact.Parts));
            Size = Text.Length;
        }

        /// <summary>More of the same text, to be put behind it without anything in between.</summary>
        public void Append(A2AArtifact artifact)
        {
            Text.Append(TextOf(artifact.Parts));
            Size = Text.Length;
        }
    }
}
