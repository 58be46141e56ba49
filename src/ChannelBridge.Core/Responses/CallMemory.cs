using System.Text.Json;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// What a provider wants back with its calls and no client was shown (its reasoning, thought signatures), by call id: for clients that keep
/// the conversation themselves and give back only what they got. In memory, bounded, the newest stay.
/// </summary>
internal sealed class CallMemory
{
    private const int MaxEntries = 4096;
    private const long MaxCharacters = 16L << 20;

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Owner, string CallId), LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _order = new();
    private long _characters;

    /// <summary>Keeps what the items of a response have.</summary>
    public void Keep(string owner, IReadOnlyList<ResponseItem> items)
    {
        ReasoningItem? reasoning = null;
        foreach (var item in items)
        {
            if (item is ReasoningItem thought) reasoning = thought;
            if (item is not FunctionCallItem call || (reasoning is null && call.Extra is null)) continue;
            Add(new Entry((owner, call.CallId), reasoning, call.Extra));
            // The calls behind the first one were made by the same thought.
            reasoning = null;
        }
    }

    /// <summary>What belongs to a call, or null.</summary>
    public (ReasoningItem? Reasoning, JsonElement? Extra)? Find(string owner, string callId)
    {
        lock (_gate) return _entries.TryGetValue((owner, callId), out var node) ? (node.Value.Reasoning, node.Value.Extra) : null;
    }

    private void Add(Entry entry)
    {
        lock (_gate)
        {
            if (_entries.Remove(entry.Key, out var old)) Drop(old);
            _entries[entry.Key] = _order.AddLast(entry);
            _characters += entry.Size;
            while (_order.First is { } first && (_order.Count > MaxEntries || _characters > MaxCharacters))
            {
                _entries.Remove(first.Value.Key);
                Drop(first);
            }
        }
    }

    private void Drop(LinkedListNode<Entry> node)
    {
        _order.Remove(node);
        _characters -= node.Value.Size;
    }

    private sealed record Entry((string Owner, string CallId) Key, ReasoningItem? Reasoning, JsonElement? Extra)
    {
        public long Size { get; } = Key.CallId.Length + (Extra?.GetRawText().Length ?? 0) + (
            Reasoning is null ? 0 : ItemJson.WriteKept([Reasoning]).Length);
    }
}
