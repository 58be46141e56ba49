using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// Makes a stream of what an agent says: texts that only grow, whatever the agent takes back. When text that was sent is rewritten, its message is closed as
/// commentary and another one opened with the text as it is now. Not for several threads at once.
/// </summary>
internal sealed partial class ResponseAssembler
{
    // The result whose message is open.
    private string? _artifact;
    private const string Commentary = "commentary";
    private const string FinalAnswer = "final_answer";

    private readonly ResponseMachine _machine;
    private readonly TextCoalescer _coalescer;
    private readonly RawReasoning _raw;
    private readonly StringBuilder _sent = new();
    private readonly TextCoalescer.PieceSink _sink;
    private Kind _kind;
    private string _unclaimed = "";
    private string? _left;
    private int _retold;
    private bool _replied;
    private bool _said;
    private bool _refused;
    private FinishReason? _finish;
    private ResponseUsage? _usage;

    /// <summary>Makes one.</summary>
    /// <param name="machine">The stream.</param>
    /// <param name="options">Sizes.</param>
    /// <param name="mayRewrite">True for an agent that may take back what it said.</param>
    /// <param name="graphemes">The most graphemes of one delta; null: the option's.</param>
    /// <param name="seal">Seals reasoning for a client that asked for that; null: it didn't.</param>
    public ResponseAssembler(
        ResponseMachine machine, ResponseOptions options, bool mayRewrite, int? graphemes = null, Func<ReasoningItem, string>? seal = null)
    {
        _machine = machine;
        _seal = seal;
        _raw = options.RawReasoning;
        _coalescer = new TextCoalescer(Math.Max(1, graphemes ?? options.DeltaGraphemes), mayRewrite ? options.HeldGraphemes : 0);
        _request = machine.State.Request;
        _sink = Send;
        if (machine.HasOpenItem) TakeUp();
    }

    private enum Kind
    {
        Text,
        Refusal,
        Summary,
        Raw,
    }

    /// <summary>True when text waits to be sent.</summary>
    public bool HasPending => !_coalescer.IsEmpty;

    /// <summary>How much text waits, in UTF-16 units.</summary>
    public int PendingLength => _coalescer.PendingLength;

    /// <summary>What it cost so far, as far as the agent said.</summary>
    public ResponseUsage? Usage => _usage;

    /// <summary>Takes one event. Text goes with the next <see cref="Flush"/>.</summary>
    public void Add(AgentEvent @event)
    {
        switch (@event)
        {
            case AgentPartial partial:
                Enter(Kind.Text);
                Grow(partial.Suffix);
                break;
            case AgentRewrite rewrite:
                Enter(Kind.Text);
                Become(rewrite.Text);
                break;
            case AgentReply reply:
                Reply(reply);
                break;
            // A result is a message of its own; its text may go on.
            case AgentArtifact { Append: true, Text: { } more, File: null, Json: null } piece when piece.Id == _artifact:
                Grow(more);
                break;
            case AgentArtifact artifact:
                Reply(artifact.ToReply());
                _artifact = artifact.Id;
                break;
            case AgentMessageEnd when Retold() && (_sent.Length > 0 || HasPending):
                Flush(all: true);
                _replied = true;
                break;
            case AgentRefusal refusal:
                Enter(Kind.Refusal);
                _refused = true;
                Grow(refusal.Suffix);
                break;
            case AgentReasoning { IsSummary: true } reasoning:
                Enter(Kind.Summary);
                Grow(reasoning.Suffix);
                break;
            case AgentReasoning reasoning:
                Think(reasoning.Suffix);
                break;
            case AgentReasoningEnd end:
                EndThought(end);
                break;
            case AgentCitation citation:
                Flush(all: true);
                Cite(citation.Url, citation.Title, citation.Start, citation.End);
                break;
            case AgentToolCall call:
                Call(call);
                break;
            case AgentToolResult result when !_dropped.Contains(result.CallId):
                EndThought();
                CloseMessage(Commentary);
                _running.Remove(result.CallId);
                _machine.AddCallOutput(result.CallId, result.Output);
                break;
            case AgentUsage usage:
                _usage = new ResponseUsage(usage.InputTokens, usage.OutputTokens, usage.CachedTokens, usage.ReasoningTokens);
                break;
            case AgentFinish finish:
                _finish = finish.Reason;
                break;
        }
    }

    /// <summary>Sends what may go.</summary>
    /// <param name="all">True: also what was held back, because it has waited long enough.</param>
    public void Flush(bool all) => _coalescer.Flush(all, _sink);

    /// <summary>The turn has come to its end.</summary>
    /// <param name="now">Unix seconds.</param>
    public void Finish(long now)
    {
        EndThought();
        Retold();
        Flush(all: true);
        switch (_cutOff && _finish is not (FinishReason.ContentFilter or FinishReason.Unknown) ? FinishReason.Length : _finish)
        {
            case FinishReason.Unknown:
                _machine.CutOff("unknown", _usage);
                break;
            case FinishReason.Length:
                _machine.CutOff("max_output_tokens", _usage);
                break;
            case FinishReason.ContentFilter:
                _machine.CutOff("content_filter", _usage);
                break;
            default:
                // Who says nothing has given an empty answer, which is a message, too.
                if (!_said) _machine.OpenMessage();
                _machine.Complete(now, _usage, _machine.HasOpenMessage ? FinalAnswer : null);
                break;
        }
    }

    /// <summary>The turn has failed.</summary>
    public void Fail(ResponseError error)
    {
        EndThought();
        Flush(all: true);
        _machine.Fail(error, _usage);
    }

    private void Enter(Kind kind)
    {
        if (kind is Kind.Text or Kind.Refusal) EndThought();
        // A message that has its reply is over when something else begins.
        if (_replied) CloseMessage(Commentary);
        if (kind == _kind) return;
        Retold();
        Flush(all: true);
        // A refusal goes on in its message; reasoning is an item of its own.
        if (kind is Kind.Summary or Kind.Raw || _kind is Kind.Summary or Kind.Raw) CloseMessage(Commentary);
        _kind = kind;
    }

    private void Grow(string suffix)
    {
        if (_left is not null) suffix = Retell(suffix);
        if (suffix.Length == 0) return;
        _coalescer.Append(suffix);
        _said = _said || _kind is Kind.Text or Kind.Refusal;
    }

    /// <summary>
    /// The stream goes on behind what a former host has sent. A text that was open stays so: an agent that begins with the same words goes on where it was. What
    /// else was open is closed as it stands.
    /// </summary>
    private void TakeUp()
    {
        if (_machine.OpenText is not { } text)
        {
            _machine.CloseItem(_machine.HasOpenMessage ? Commentary : null);
        }
        else if (text.Length > 0)
        {
            _left = text;
            _sent.Append(text);
        }
    }

    /// <summary>What of a text is new, when its beginning may have been sent by a former host.</summary>
    private string Retell(string suffix)
    {
        var left = _left!;
        _said = true;
        var same = suffix.AsSpan().CommonPrefixLength(left.AsSpan(_retold));
        _retold += same;
        if (same == suffix.Length) return "";
        _left = null;
        if (_retold == left.Length) return suffix[same..];
        Forget();
        return left[.._retold] + suffix[same..];
    }

    /// <summary>The agent's text ends here: when it is shorter than what a former host has sent, it comes as a message of its own. Always true.</summary>
    private bool Retold()
    {
        if (_left is not { } left) return true;
        _left = null;
        if (_retold == left.Length) return true;
        Forget();
        Grow(left[.._retold]);
        return true;
    }

    /// <summary>Closes the message that a former host has begun; this agent's answer has nothing of it.</summary>
    private void Forget()
    {
        CloseMessage(Commentary);
        _unclaimed = "";
    }

    private void Become(string text)
    {
        var sent = _sent.ToString();
        // Tools that ran in between have closed the message; its text may still be the beginning of the whole.
        if (_unclaimed.Length > 0 && (sent.Length + _coalescer.PendingLength == 0 || !text.StartsWith(sent, StringComparison.Ordinal))
            && text.StartsWith(_unclaimed, StringComparison.Ordinal))
            text = text[_unclaimed.Length..];
        _coalescer.Clear();
        _left = null;
        if (!text.StartsWith(sent, StringComparison.Ordinal))
        {
            CloseMessage(Commentary);
            _unclaimed = "";
            sent = "";
        }

        Grow(text[sent.Length..]);
    }

    private void Reply(AgentReply reply)
    {
        _artifact = null;
        EndThought();
        // A further file of the message that was just told.
        if (_replied && reply is { Text.Length: 0, Attachment: not null })
        {
            Attach(reply);
            return;
        }

        if (_replied) CloseMessage(Commentary);
        if (reply.Text.Length == 0) Retold();
        var open = _sent.Length > 0 || HasPending || _machine.HasOpenMessage;
        // What was closed by a tool call is the message that this reply ends.
        if (!open && reply.Attachment is null && _unclaimed.Length > 0 && reply.Text == _unclaimed)
        {
            _unclaimed = "";
            return;
        }

        // Whoever ends a message without its text takes nothing back.
        if ((_refused && (reply.Text.Length == 0 || _kind == Kind.Refusal)) || (open && _kind == Kind.Text && reply is { Text.Length: 0, Refusal: null }))
        {
            Flush(all: true);
        }
        else if (reply.Text.Length == 0 && reply.Refusal is { Length: > 0 } refusal)
        {
            Enter(Kind.Refusal);
            Grow(refusal);
            Flush(all: true);
        }
        else
        {
            Enter(Kind.Text);
            Become(reply.Text);
            Flush(all: true);
        }

        _machine.OpenMessage();
        Attach(reply);
        _said = true;
        _replied = true;
        _unclaimed = "";
    }

    private void Attach(AgentReply reply)
    {
        if (reply.Attachment is not { Location: { } location } file) return;
        Cite(location, file.FileName ?? file.MimeType, reply.Text.Length, reply.Text.Length);
    }

    private void Cite(string url, string title, int start, int end)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")) return;
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, "url_citation"u8);
            writer.WriteString("url"u8, url);
            writer.WriteNumber("start_index"u8, start);
            writer.WriteNumber("end_index"u8, end);
            writer.WriteString("title"u8, title);
            writer.WriteEndObject();
        }

        using var annotation = JsonDocument.Parse(buffer.WrittenMemory);
        _machine.Annotate(annotation.RootElement);
    }

    private void CloseMessage(string phase)
    {
        Retold();
        Flush(all: true);
        if (!_replied && _kind == Kind.Text) _unclaimed += _sent.ToString();
        _machine.CloseItem(_machine.HasOpenMessage ? phase : null);
        _artifact = null;
        _sent.Clear();
        _replied = false;
        _refused = false;
        _kind = Kind.Text;
    }

    private void Send(ReadOnlySpan<char> piece)
    {
        switch (_kind)
        {
            case Kind.Text:
                _sent.Append(piece);
                _machine.AppendText(piece);
                break;
            case Kind.Refusal:
                _machine.AppendRefusal(piece);
                break;
            case Kind.Summary:
                _machine.AppendSummary(piece);
                break;
            default:
                _machine.AppendReasoning(piece);
                break;
        }
    }
}
