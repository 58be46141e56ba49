using System.Text;
using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Core.Messaging;

/// <summary>What was said in a turn so far.</summary>
internal sealed class TurnRecord
{
    private readonly List<AgentReply> _replies = [];
    private readonly ArtifactList _artifacts = new();
    private ArtifactList _unsent = new();

    /// <summary>The finished messages.</summary>
    public IReadOnlyList<AgentReply> Replies => _replies;

    /// <summary>The results, in order.</summary>
    public IReadOnlyList<AgentArtifact> Artifacts => _artifacts.Items;

    /// <summary>Why the agent stopped.</summary>
    public FinishReason Finish { get; set; }

    /// <summary>True when the agent has said that it has nothing to say.</summary>
    public bool Silent { get; set; }

    /// <summary>True when nothing was said, nor that there is nothing to say.</summary>
    public bool IsEmpty => !Silent && _replies.Count == 0 && _artifacts.Count == 0;

    public void Add(AgentReply reply) => _replies.Add(reply);

    public void Add(AgentArtifact piece)
    {
        _artifacts.Add(piece);
        _unsent.Add(piece);
    }

    /// <summary>The results that no message was made of yet.</summary>
    public IReadOnlyList<AgentArtifact> TakeUnsent()
    {
        if (_unsent.Count == 0) return [];
        var taken = _unsent.Items;
        _unsent = new ArtifactList();
        return taken;
    }

    /// <summary>Results in order; a text that goes on is one piece with what came before.</summary>
    private sealed class ArtifactList
    {
        private readonly List<AgentArtifact> _items = [];
        // The text of the last one while it grows.
        private StringBuilder? _growing;

        public int Count => _items.Count;

        public IReadOnlyList<AgentArtifact> Items
        {
            get
            {
                Settle();
                return _items;
            }
        }

        public void Add(AgentArtifact piece)
        {
            var last = _items.Count > 0 ? _items[^1] : null;
            if (piece is { Append: true, Text: { } more, File: null, Json: null } && last is { Text: not null, File: null, Json: null } && last.Id == piece.Id)
            {
                (_growing ??= new StringBuilder(last.Text)).Append(more);
                if (piece.LastChunk) _items[^1] = last with { LastChunk = true };
                return;
            }

            Settle();
            // Begun anew: what came of it before doesn't count any more.
            if (!piece.Append) _items.RemoveAll(known => known.Id == piece.Id);
            _items.Add(piece);
        }

        private void Settle()
        {
            if (_growing is null) return;
            _items[^1] = _items[^1] with { Text = _growing.ToString() };
            _growing = null;
        }
    }
}
