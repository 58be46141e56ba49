using System.Text;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Push;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>What a task is when its turn has ended, and the records that say so in the commit that ends the turn.</summary>
internal sealed class TaskEnds(TaskBook book, LiveTasks lives, MessageMapper mapper, PushBook pushes, TimeProvider time)
{
    /// <summary>The records of a task's end.</summary>
    public async ValueTask<IReadOnlyList<RecordWrite>> EndAsync(TurnEnding ending, CancellationToken cancellationToken)
    {
        var turn = ending.Turn;
        var (peer, id) = (turn.Message.AccountId.ToLowerInvariant(), turn.Message.Route);
        // Forgotten, or cancelled while it waited for its peer: nothing is left to say.
        var stored = lives.BegunBy(peer, id, turn.Message.MessageId) ?? await book.FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false);
        if (stored is not { Ended: false }) return [];
        // The turn of a message that the task was taken from: another message's is the one that counts.
        if (stored.Head.LastMessageId is { Length: > 0 } last && last != turn.Message.MessageId) return [];
        var isStatus = AnswersByStatus(turn.Message.Agent);
        var task = await FoldAsync(stored.Task, ending, isStatus, cancellationToken).ConfigureAwait(false);
        var writes = new List<RecordWrite>(5);
        var next = book.Put(stored, stored with { Task = task }, expected: null, writes);
        lives.Ending(next, turn.Id, (RecordPut)writes[0]);
        writes.AddRange(await pushes.OweAsync(next, cancellationToken).ConfigureAwait(false));
        return writes;
    }

    /// <summary>True for the agent whose messages are a task's status and no results.</summary>
    public static bool AnswersByStatus(string agent) => agent == Conformance.ConformanceAgent.AgentName;

    private async Task<A2ATask> FoldAsync(A2ATask before, TurnEnding ending, bool repliesAreStatus, CancellationToken cancellationToken)
    {
        var (state, said) = ending.Outcome switch
        {
            TurnOutcome.Cancelled => (TaskState.Canceled, null),
            TurnOutcome.Failed => (TaskState.Failed, ending.Error ?? "The agent failed."),
            _ => ending.Finish switch
            {
                FinishReason.InputRequired => (TaskState.InputRequired, Last(ending)),
                FinishReason.AuthRequired => (TaskState.AuthRequired, Last(ending)),
                FinishReason.Rejected => (TaskState.Rejected, Last(ending)),
                _ => (TaskState.Completed, repliesAreStatus ? Last(ending) : null),
            },
        };
        // What the agent asks, or says against it, is no result.
        var lastIsStatus = repliesAreStatus || state is TaskState.InputRequired or TaskState.AuthRequired or TaskState.Rejected;
        var fold = new TaskFold(before, lives.Bounds);
        if (before.Status.State is not TaskState.Working) fold.Apply(Update(before, TaskState.Working, null, ending));
        List<A2AArtifact> artifacts;
        try
        {
            artifacts = await ArtifactsAsync(ending, lastIsStatus, repliesAreStatus, cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault) when (!fault.Retryable)
        {
            // A task that never ends would be worse than one without its results.
            artifacts = [];
            (state, said) = (TaskState.Failed, $"The agent's results can't be read ({fault.Code}).");
        }

        foreach (var artifact in artifacts)
        {
            var update = new TaskArtifactUpdate { TaskId = before.Id, ContextId = before.ContextId, Artifact = artifact, LastChunk = true };
            if (fold.Apply(update) is not FoldResult.TooLarge) continue;
            (state, said) = (TaskState.Failed, $"The agent's results are larger than {lives.Bounds.ArtifactBytes} bytes.");
            break;
        }

        fold.Apply(Update(before, state, said, ending));
        return fold.Snapshot();
    }

    private async Task<List<A2AArtifact>> ArtifactsAsync(TurnEnding ending, bool lastIsStatus, bool allAreStatus, CancellationToken cancellationToken)
    {
        var artifacts = new List<A2AArtifact>();
        for (var i = 0; i < ending.Replies.Count; i++)
        {
            if (allAreStatus || (lastIsStatus && i == ending.Replies.Count - 1 && ending.Replies[i].Attachment is null)) continue;
            if (await mapper.ToArtifactAsync(ending.Turn.Id, i, ending.Replies[i], cancellationToken).ConfigureAwait(false) is { } artifact) artifacts.Add(artifact);
        }

        foreach (var pieces in ending.Artifacts.GroupBy(static artifact => artifact.Id, StringComparer.Ordinal))
        {
            var parts = new List<A2APart>();
            // A text that came in pieces is one, as in an answer.
            StringBuilder? growing = null;
            foreach (var piece in pieces)
            {
                if (!piece.Append)
                {
                    parts.Clear();
                    growing = null;
                }

                if (piece is { File: null, Json: null })
                {
                    (growing ??= new StringBuilder()).Append(piece.Text);
                    continue;
                }

                Close(growing, parts);
                growing = null;
                parts.Add(await mapper.ToPartAsync(piece, cancellationToken).ConfigureAwait(false));
            }

            Close(growing, parts);
            artifacts.Add(new A2AArtifact { ArtifactId = pieces.Key, Name = pieces.First().Name, Description = pieces.First().Description, Parts = parts });
        }

        return artifacts;
    }

    private static void Close(StringBuilder? text, List<A2APart> parts)
    {
        if (text is not null) parts.Add(A2APart.OfText(text.ToString()));
    }

    private TaskStatusUpdate Update(A2ATask task, TaskState state, string? said, TurnEnding ending) => new()
    {
        TaskId = task.Id,
        ContextId = task.ContextId,
        Status = new A2ATaskStatus
        {
            State = state,
            Timestamp = time.GetUtcNow(),
            Message = said is null
                ? null
                : new A2AMessage
                {
                    MessageId = $"{ending.Turn.Id:N}-end",
                    Role = MessageRole.Agent,
                    TaskId = task.Id,
                    ContextId = task.ContextId,
                    Parts = [A2APart.OfText(said)],
                },
        },
    };

    private static string? Last(TurnEnding ending) =>
        ending.Replies.Count == 0 ? null : ending.Replies[^1] is { Text.Length: > 0 } reply ? reply.Text : ending.Replies[^1].Refusal;
}
