using System.Text;
using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>
/// One attempt at a task's turn while it runs: makes the protocol's events of the agent's, and remembers what was shown. What was shown becomes what the record says
/// at the end, without a word told twice. Not for several threads at once.
/// </summary>
internal sealed class RunView(string taskId, string contextId, Guid turn, int attempt, bool repliesAreStatus, TimeProvider time)
{
    private readonly Dictionary<string, Shown> _shown = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];
    private AgentReply? _held;
    private int _heldOrdinal;
    private StreamItem? _status;
    private (int Ordinal, string? Id) _named;

    /// <summary>Which attempt it is.</summary>
    public int Attempt => attempt;

    /// <summary>The turn.</summary>
    public Guid Turn => turn;

    /// <summary>The id of the result that a message of the answer is.</summary>
    public static string ArtifactIdOf(Guid turn, int ordinal) => $"answer-{turn.ToString("N")[^8..]}-{ordinal}";

    /// <summary>The protocol's events for one of the agent's.</summary>
    public IEnumerable<StreamItem> On(int ordinal, AgentEvent agentEvent)
    {
        if (_status is null) yield return _status = Status(new A2ATaskStatus { State = TaskState.Working, Timestamp = time.GetUtcNow() });

        switch (agentEvent)
        {
            case AgentPartial more when more.Suffix.Length > 0 && !repliesAreStatus:
                if (Release() is { } before) yield return before;
                yield return Text(IdOf(ordinal), more.Suffix, append: true, last: false);
                break;
            case AgentRewrite rewrite when !repliesAreStatus && _shown.TryGetValue(IdOf(ordinal), out var shown) && shown.Text?.ToString() != rewrite.Text:
                yield return Text(IdOf(ordinal), rewrite.Text, append: false, last: false);
                break;
            case AgentReply reply:
                if (Release() is { } former) yield return former;
                // Whether it is a result or a question, the agent's last word tells.
                (_held, _heldOrdinal) = (reply, ordinal);
                break;
            case AgentStatus status when status.Text.Length > 0:
                yield return _status = Status(new A2ATaskStatus
                {
                    State = TaskState.Working,
                    Message = new A2AMessage
                    {
                        MessageId = $"{turn:N}-{_order.Count}-{status.Text.GetHashCode(StringComparison.Ordinal):x8}",
                        Role = MessageRole.Agent,
                        TaskId = taskId,
                        ContextId = contextId,
                        Parts = [A2APart.OfText(status.Text)],
                    },
                    Timestamp = time.GetUtcNow(),
                });
                break;
            // Files come at the end: their bytes must be read first.
            case AgentArtifact { File: null } artifact:
                if (Release() is { } held) yield return held;
                yield return Of(artifact);
                break;
        }
    }

    /// <summary>What is still to be told of the end, behind what was shown.</summary>
    public IEnumerable<StreamItem> End(A2ATask final, IReadOnlySet<string> before)
    {
        foreach (var artifact in final.Artifacts ?? [])
        {
            if (before.Contains(artifact.ArtifactId) && !_shown.ContainsKey(artifact.ArtifactId)) continue;
            if (_shown.TryGetValue(artifact.ArtifactId, out var shown) && artifact.Parts is [{ Text: { } text, Metadata: null }] && shown.Text is { } told)
            {
                var whole = told.ToString();
                if (text == whole && shown.IsClosed) continue;
                if (text.StartsWith(whole, StringComparison.Ordinal))
                {
                    yield return Text(artifact.ArtifactId, text[whole.Length..], append: true, last: true);
                    continue;
                }
            }
            else if (shown is { IsClosed: true, Text: null } && shown.Parts == artifact.Parts.Count)
            {
                continue;
            }

            yield return new StreamItem
            {
                ArtifactUpdate = new TaskArtifactUpdate { TaskId = taskId, ContextId = contextId, Artifact = artifact, LastChunk = true },
            };
        }

        yield return Status(final.Status);
    }

    /// <summary>What was shown so far, in few events: for who begins to look in the middle.</summary>
    public IEnumerable<StreamItem> SoFar()
    {
        if (_status is not null) yield return _status;
        foreach (var id in _order)
        {
            var shown = _shown[id];
            if (shown.Text is { Length: > 0 } text)
            {
                yield return new StreamItem
                {
                    ArtifactUpdate = new TaskArtifactUpdate
                    {
                        TaskId = taskId,
                        ContextId = contextId,
                        Artifact = new A2AArtifact { ArtifactId = id, Name = shown.Name, Description = shown.Description, Parts = [A2APart.OfText(text.ToString())] },
                        LastChunk = shown.IsClosed,
                    },
                };
            }
        }
    }

    /// <summary>The id of a message that grows, made once.</summary>
    private string IdOf(int ordinal)
    {
        if (_named.Id is null || _named.Ordinal != ordinal) _named = (ordinal, ArtifactIdOf(turn, ordinal));
        return _named.Id!;
    }

    private StreamItem? Release()
    {
        if (_held is not { } reply) return null;
        _held = null;
        if (repliesAreStatus || reply.Attachment is not null || (reply.Text.Length == 0 && reply.Refusal is null)) return null;
        var text = reply.Text.Length > 0 ? reply.Text : reply.Refusal!;
        var id = IdOf(_heldOrdinal);
        var told = _shown.TryGetValue(id, out var shown) ? shown.Text?.ToString() ?? "" : "";
        return text.StartsWith(told, StringComparison.Ordinal)
            ? Text(id, text[told.Length..], append: told.Length > 0, last: true)
            : Text(id, text, append: false, last: true);
    }

    private StreamItem Text(string id, string text, bool append, bool last, string? name = null, string? description = null)
    {
        if (!_shown.TryGetValue(id, out var shown))
        {
            _shown[id] = shown = new Shown { Text = new StringBuilder(), Name = name, Description = description };
            _order.Add(id);
            append = false;
        }

        if (!append) shown.Text = new StringBuilder();
        (shown.Text ??= new StringBuilder()).Append(text);
        shown.IsClosed = last;
        return new StreamItem
        {
            ArtifactUpdate = new TaskArtifactUpdate
            {
                TaskId = taskId,
                ContextId = contextId,
                Artifact = new A2AArtifact { ArtifactId = id, Name = shown.Name, Description = shown.Description, Parts = [A2APart.OfText(text)] },
                Append = append,
                LastChunk = last,
            },
        };
    }

    private StreamItem Of(AgentArtifact artifact)
    {
        if (artifact.Text is { } text) return Text(artifact.Id, text, artifact.Append, artifact.LastChunk, artifact.Name, artifact.Description);
        if (!_shown.TryGetValue(artifact.Id, out var shown) || !artifact.Append)
        {
            if (shown is null) _order.Add(artifact.Id);
            _shown[artifact.Id] = shown = new Shown { Name = artifact.Name, Description = artifact.Description };
        }

        shown.Parts++;
        shown.IsClosed = artifact.LastChunk;
        return new StreamItem
        {
            ArtifactUpdate = new TaskArtifactUpdate
            {
                TaskId = taskId,
                ContextId = contextId,
                Artifact = new A2AArtifact
                {
                    ArtifactId = artifact.Id,
                    Name = artifact.Name,
                    Description = artifact.Description,
                    Parts = [new A2APart { Data = artifact.Json ?? JsonDocument.Parse("null").RootElement }],
                },
                Append = artifact.Append,
                LastChunk = artifact.LastChunk,
            },
        };
    }

    private StreamItem Status(A2ATaskStatus status) =>
        new() { StatusUpdate = new TaskStatusUpdate { TaskId = taskId, ContextId = contextId, Status = status } };

    private sealed class Shown
    {
        public StringBuilder? Text { get; set; }

        public string? Name { get; init; }

        public string? Description { get; init; }

        public int Parts { get; set; }

        public bool IsClosed { get; set; }
    }
}
