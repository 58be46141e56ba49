using System.Text;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <content>Calls and reasoning: what the client sees of them, and what the provider must be told of them again.</content>
internal sealed partial class ResponseAssembler
{
    private readonly ResponseRequest _request;
    private readonly Func<ReasoningItem, string>? _seal;
    private readonly StringBuilder _thought = new();
    private readonly HashSet<string> _dropped = new(StringComparer.Ordinal);
    private readonly HashSet<string> _running = new(StringComparer.Ordinal);
    // Reasoning as its agent must be told it again: in the place of an item that the client sees, or before one.
    private readonly Dictionary<int, ReasoningItem> _whole = [];
    private readonly List<(int Before, ReasoningItem Item)> _hidden = [];
    private ReasoningItem? _lastThought;
    private int _calls;
    private bool _cutOff;

    /// <summary>The output as its agent is to be told it when the conversation goes on; null when the response shows all of it.</summary>
    public IReadOnlyList<ResponseItem>? Kept
    {
        get
        {
            var output = _machine.State.Output;
            if (_whole.Count == 0 && _hidden.Count == 0 && !output.Any(item => item is FunctionCallItem { Extra: not null })) return null;
            var items = new List<ResponseItem>(output.Count + _hidden.Count);
            for (var i = 0; i <= output.Count; i++)
            {
                items.AddRange(_hidden.Where(one => one.Before == i).Select(one => one.Item));
                if (i == output.Count) break;
                items.Add(_whole.TryGetValue(i, out var whole) && output[i] is ReasoningItem shown
                    ? whole with { Id = shown.Id, Status = shown.Status, Summary = shown.Summary }
                    : output[i]);
            }

            return items;
        }
    }

    /// <summary>More raw reasoning. Whether the client sees it is a setting; the provider may want it back in any case.</summary>
    private void Think(string suffix)
    {
        if (_raw != RawReasoning.Off)
        {
            Enter(Kind.Raw);
            Grow(suffix);
        }

        _thought.Append(suffix);
    }

    /// <summary>The reasoning before is whole.</summary>
    private void EndThought(AgentReasoningEnd? end = null)
    {
        if (_thought.Length == 0 && end is null or { Sealed: null, Extra: null }) return;
        if (_thought.Length == 0 && end is { Sealed: null } && _lastThought is not null)
        {
            // More of what belongs to the reasoning before.
            var before = _lastThought;
            _lastThought = before with { Extra = end.Extra };
            Replace(before, _lastThought);
            return;
        }

        ContentPart[]? text = _thought.Length > 0 ? [new ReasoningTextPart(_thought.ToString())] : null;
        var whole = _lastThought = new ReasoningItem([], text, end?.Sealed) { Extra = end?.Extra };
        _thought.Clear();
        var isOpen = _kind is Kind.Summary or Kind.Raw;
        if (isOpen) Flush(all: true);
        if (_seal is null && !isOpen)
        {
            _hidden.Add((_machine.OutputCount + (_machine.HasOpenItem ? 1 : 0), whole));
            return;
        }

        if (!isOpen) CloseMessage(Commentary);
        if (_seal is not null) _machine.SealReasoning(end?.Sealed ?? _seal(whole));
        _whole[_machine.OutputCount] = whole;
        if (!isOpen || end is not null) CloseMessage(Commentary);
    }

    private void Replace(ReasoningItem old, ReasoningItem item)
    {
        for (var i = 0; i < _hidden.Count; i++)
        {
            if (ReferenceEquals(_hidden[i].Item, old)) _hidden[i] = _hidden[i] with { Item = item };
        }

        foreach (var (index, known) in _whole.ToList())
        {
            if (ReferenceEquals(known, old)) _whole[index] = item;
        }
    }

    private void Call(AgentToolCall call)
    {
        // The client's bounds hold whatever the provider does.
        if ((_request.MaxToolCalls is { } most && _calls >= most) || (_request.ParallelToolCalls == false && _running.Count > 0))
        {
            _dropped.Add(call.CallId);
            return;
        }

        _calls++;
        _running.Add(call.CallId);
        EndThought();
        CloseMessage(Commentary);
        var arguments = call.Arguments.Length > 0 || call.IsCutOff ? call.Arguments : "{}";
        var shown = CallNames.ToClient(_request.Tools, new FunctionCallItem(call.CallId, call.Name, arguments) { Extra = call.Extra });
        _machine.OpenCall(shown);
        _machine.AppendArguments(shown.Arguments);
        // One that was cut off stays open: the end of the response closes it as incomplete.
        if (call.IsCutOff) _cutOff = true;
        else _machine.CloseItem();
        _said = true;
    }
}
