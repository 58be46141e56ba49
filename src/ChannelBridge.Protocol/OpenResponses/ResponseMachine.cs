using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Takes the events of a <see cref="ResponseMachine"/>, in order.</summary>
/// <param name="sequence">The <c>sequence_number</c>: 0, 1, 2 … without a gap.</param>
/// <param name="type">The type.</param>
/// <param name="json">The whole event, one JSON object in UTF-8, on one line.</param>
public delegate void ResponseEventSink(long sequence, string type, byte[] json);

/// <summary>
/// The one source of streamed events. Whatever is called in whatever order, what comes out is a legal stream: created, perhaps queued, in progress, items
/// one after another with their parts opened, grown and closed, and exactly one terminal event. What doesn't fit where the stream stands opens or closes
/// what it needs first; what comes after the end is dropped. No clock, no I/O, not for several threads at once.
/// </summary>
/// <remarks>
/// Texts grow only. A delta never ends within a surrogate pair; a surrogate that never gets its other half becomes U+FFFD, in the deltas and in the whole
/// text alike, so the deltas always add up. An item that was cut off is <c>incomplete</c> only in an incomplete response, and then the last one, as the spec
/// demands; in a failed response it is closed as it stands.
/// </remarks>
// Its writer writes to a buffer of its own: there is nothing to give back.
#pragma warning disable CA1001
public sealed partial class ResponseMachine
#pragma warning restore CA1001
{
    private readonly ResponseEventSink? _sink;
    private readonly List<ResponseItem> _output = [];
    private readonly string _suffix;
    private ResponseState _state;
    private OpenItem? _item;
    private Stage _stage;
    private bool _queued;
    private bool _muted;

    /// <summary>Makes a machine; nothing is sent yet.</summary>
    /// <param name="response">What the response is at its beginning; its status and output are the machine's to set.</param>
    /// <param name="sink">Gets the events.</param>
    public ResponseMachine(ResponseState response, ResponseEventSink sink)
    {
        ArgumentNullException.ThrowIfNull(response);
        ArgumentNullException.ThrowIfNull(sink);
        _state = response with { Status = ResponseStatus.InProgress, Output = [], Error = null, IncompleteReason = null, CompletedAt = null };
        _sink = sink;
        _suffix = response.Id.StartsWith("resp_", StringComparison.Ordinal) ? response.Id["resp_".Length..] : response.Id;
    }

    private enum Stage
    {
        New,
        Created,
        Running,
        Ended,
    }

    /// <summary>The number of the next event, which is how many there were.</summary>
    public long NextSequence { get; private set; }

    /// <summary>True after the terminal event.</summary>
    public bool HasEnded => _stage == Stage.Ended;

    /// <summary>True while an item is open.</summary>
    public bool HasOpenItem => _item is not null;

    /// <summary>How many items are done.</summary>
    public int OutputCount => _output.Count;

    /// <summary>True while a message is open: text can be appended to it.</summary>
    public bool HasOpenMessage => _item is { Kind: ItemKind.Message };

    /// <summary>The text of the message that is open, while more can be appended to it; null otherwise.</summary>
    public string? OpenText => _item is { Kind: ItemKind.Message, Part: PartKind.Text, IsTextDone: false } item ? item.Text.ToString() : null;

    /// <summary>True when the last item is the message that ends the answer: only the terminal event is missing.</summary>
    public bool HasFinalAnswer => _item is null && _output is [.., MessageItem { Phase: "final_answer" }];

    /// <summary>The response as it is now; open items aren't in it.</summary>
    public ResponseState State => _state with { Output = [.. _output] };

    /// <summary>Names raw reasoning as OpenAI's clients do (<c>response.reasoning_text.…</c>) instead of as the spec does.</summary>
    public bool OpenAIReasoningNames { get; init; }

    /// <summary>Sends <c>response.created</c>, once.</summary>
    /// <param name="queued">True when the response waits for its turn, so that its first snapshot says so.</param>
    public void Create(bool queued = false)
    {
        if (_stage != Stage.New) return;
        _stage = Stage.Created;
        if (queued) _state = _state with { Status = ResponseStatus.Queued };
        EmitResponse(ResponseEventTypes.Created);
    }

    /// <summary>Sends <c>response.queued</c>; not when it runs already.</summary>
    public void Queue()
    {
        Create(queued: true);
        if (_stage != Stage.Created || _queued) return;
        _queued = true;
        _state = _state with { Status = ResponseStatus.Queued };
        EmitResponse(ResponseEventTypes.Queued);
    }

    /// <summary>Sends <c>response.in_progress</c>, once.</summary>
    public void Start()
    {
        Create();
        if (_stage != Stage.Created) return;
        _stage = Stage.Running;
        _state = _state with { Status = ResponseStatus.InProgress };
        EmitResponse(ResponseEventTypes.InProgress);
    }

    /// <summary>Opens a message with an empty text, unless one is open.</summary>
    public void OpenMessage()
    {
        if (Ready() && !HasOpenMessage) Enter(ItemKind.Message, PartKind.Text);
    }

    /// <summary>More text of a message.</summary>
    public void AppendText(ReadOnlySpan<char> delta)
    {
        if (!delta.IsEmpty && Ready()) Grow(Enter(ItemKind.Message, PartKind.Text), delta);
    }

    /// <summary>An annotation of the text that is open; dropped when none is.</summary>
    /// <param name="annotation">As it is on the wire.</param>
    public void Annotate(JsonElement annotation)
    {
        if (_stage == Stage.Ended || _item is not { Kind: ItemKind.Message, Part: PartKind.Text } item) return;
        item.Annotations.Add(annotation.Clone());
        EmitAnnotation(item, item.Annotations.Count - 1);
    }

    /// <summary>More of a refusal: a part of a message.</summary>
    public void AppendRefusal(ReadOnlySpan<char> delta)
    {
        if (!delta.IsEmpty && Ready()) Grow(Enter(ItemKind.Message, PartKind.Refusal), delta);
    }

    /// <summary>More of the reasoning's summary.</summary>
    public void AppendSummary(ReadOnlySpan<char> delta)
    {
        if (!delta.IsEmpty && Ready()) Grow(Enter(ItemKind.Reasoning, PartKind.Summary), delta);
    }

    /// <summary>More raw reasoning.</summary>
    public void AppendReasoning(ReadOnlySpan<char> delta)
    {
        if (!delta.IsEmpty && Ready()) Grow(Enter(ItemKind.Reasoning, PartKind.Reasoning), delta);
    }

    /// <summary>Gives the open reasoning its sealed form; without one an item is opened that has nothing else.</summary>
    /// <param name="content">The sealed form.</param>
    public void SealReasoning(string content)
    {
        if (!Ready()) return;
        if (_item is not { Kind: ItemKind.Reasoning })
        {
            CloseItem();
            Open(new OpenItem(ItemKind.Reasoning, NewId("rs"), _output.Count));
        }

        _item!.Sealed = content;
    }

    /// <summary>A call of a function begins.</summary>
    public void OpenCall(string callId, string name) => OpenCall(new FunctionCallItem(callId, name, ""));

    /// <summary>A call begins; its arguments are appended.</summary>
    /// <param name="call">The call as the client is to see it.</param>
    public void OpenCall(FunctionCallItem call)
    {
        ArgumentNullException.ThrowIfNull(call);
        if (!Ready()) return;
        CloseItem();
        Open(new OpenItem(ItemKind.Call, NewId(call.IsCustom ? "ctc" : "fc"), _output.Count)
        {
            CallId = call.CallId,
            Name = call.Name,
            Namespace = call.Namespace,
            IsCustom = call.IsCustom,
            Extra = call.Extra,
            Part = PartKind.Arguments,
        });
    }

    /// <summary>More of the open call's arguments; dropped when no call is open.</summary>
    public void AppendArguments(ReadOnlySpan<char> delta)
    {
        if (_stage == Stage.Ended || delta.IsEmpty || _item is not { Kind: ItemKind.Call } item) return;
        Grow(item, delta);
    }

    /// <summary>The result of a function that was run on this side.</summary>
    public void AddCallOutput(string callId, string output)
    {
        if (!Ready()) return;
        CloseItem();
        var custom = _output.Exists(item => item is FunctionCallItem { IsCustom: true } call && call.CallId == callId);
        Open(new OpenItem(ItemKind.CallOutput, NewId("fco"), _output.Count) { CallId = callId, IsCustom = custom });
        _item!.Text.Append(output);
        CloseItem();
    }

    /// <summary>Closes the open item, if there is one.</summary>
    /// <param name="phase"><c>commentary</c> or <c>final_answer</c> for a message; null: not said.</param>
    public void CloseItem(string? phase = null) => Close(ResponseStatus.Completed, phase);

    /// <summary>Ends it as completed.</summary>
    /// <param name="completedAt">Now (Unix seconds).</param>
    /// <param name="usage">What it cost, or null.</param>
    /// <param name="phase">The phase of the message that is still open, or null.</param>
    public void Complete(long completedAt, ResponseUsage? usage = null, string? phase = null)
    {
        if (!Ready()) return;
        Close(ResponseStatus.Completed, phase);
        End(ResponseEventTypes.Completed, _state with { Status = ResponseStatus.Completed, CompletedAt = completedAt, Usage = usage });
    }

    /// <summary>Ends it as incomplete; the open item is incomplete, too.</summary>
    /// <param name="reason">E.g. <c>max_output_tokens</c> or <c>content_filter</c>.</param>
    /// <param name="usage">What it cost, or null.</param>
    public void CutOff(string reason, ResponseUsage? usage = null)
    {
        if (!Ready()) return;
        Close(ResponseStatus.Incomplete, null);
        End(ResponseEventTypes.Incomplete, _state with { Status = ResponseStatus.Incomplete, IncompleteReason = reason, Usage = usage });
    }

    /// <summary>Ends it as failed.</summary>
    /// <param name="error">Why.</param>
    /// <param name="usage">What it cost, or null.</param>
    /// <param name="streamFault">True when the stream itself is at fault: an <c>error</c> event goes before.</param>
    public void Fail(ResponseError error, ResponseUsage? usage = null, bool streamFault = false)
    {
        ArgumentNullException.ThrowIfNull(error);
        if (!Ready()) return;
        Close(ResponseStatus.Completed, null);
        if (streamFault) EmitError(error);
        End(ResponseEventTypes.Failed, _state with { Status = ResponseStatus.Failed, Error = error, Usage = usage });
    }

    /// <summary>True when the stream hasn't ended; makes sure that it has begun.</summary>
    private bool Ready()
    {
        if (_stage == Stage.Ended) return false;
        Start();
        return true;
    }

    private string NewId(string prefix) => $"{prefix}_{_suffix}_{_output.Count}";

    private OpenItem Enter(ItemKind kind, PartKind part)
    {
        if (_item is { } open && open.Kind == kind)
        {
            if (open.Part == part) return open;
            ClosePart(open);
        }
        else
        {
            CloseItem();
            Open(new OpenItem(kind, NewId(kind == ItemKind.Message ? "msg" : "rs"), _output.Count));
        }

        OpenPart(_item!, part);
        return _item!;
    }

    private void Open(OpenItem item)
    {
        _item = item;
        EmitItem(ResponseEventTypes.ItemAdded, item.Index, item.Describe(ResponseStatus.InProgress, null, done: false));
    }

    private void OpenPart(OpenItem item, PartKind part)
    {
        item.Part = part;
        item.PartIndex = part == PartKind.Summary ? item.Summary.Count : item.Content.Count;
        EmitPart(item, added: true);
    }

    private void Grow(OpenItem item, ReadOnlySpan<char> delta)
    {
        if (item.Carry == '\0' && delta.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            item.Text.Append(delta);
            EmitDelta(item, delta);
            return;
        }

        var sound = item.MakeSound(delta);
        if (sound.Length == 0) return;
        item.Text.Append(sound);
        EmitDelta(item, sound);
    }

    private void ClosePart(OpenItem item)
    {
        if (item.Part == PartKind.None) return;
        if (item.Carry != '\0')
        {
            item.Carry = '\0';
            item.Text.Append('\uFFFD');
            EmitDelta(item, "\uFFFD");
        }

        if (!item.IsTextDone) EmitTextDone(item);
        item.IsTextDone = false;
        if (item.Part != PartKind.Arguments)
        {
            var part = item.DescribePart();
            (item.Part == PartKind.Summary ? item.Summary : item.Content).Add(part);
            EmitPart(item, added: false, part);
            item.Text.Clear();
            item.Annotations.Clear();
        }

        item.Part = PartKind.None;
    }

    private void Close(string status, string? phase)
    {
        if (_item is not { } item) return;
        ClosePart(item);
        var done = item.Describe(status, phase, done: true);
        _item = null;
        _output.Add(done);
        EmitItem(ResponseEventTypes.ItemDone, item.Index, done);
    }

    private void End(string type, ResponseState state)
    {
        _stage = Stage.Ended;
        _state = state;
        EmitResponse(type);
    }
}
