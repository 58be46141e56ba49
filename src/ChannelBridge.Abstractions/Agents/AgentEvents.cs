using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Agents;

/// <summary>
/// Something that happens in a turn. Texts grow by suffixes; a message of the answer ends with its <see cref="AgentReply"/>, whose text is the whole and
/// final one. Only replies are durable for channels; all other events are for who watches, and for streams.
/// </summary>
public abstract record AgentEvent;

/// <summary>More of the answer's text, to show while it grows: a suffix, never a snapshot. Not durable.</summary>
/// <param name="Suffix">The text that is new.</param>
public sealed record AgentPartial(string Suffix) : AgentEvent;

/// <summary>The text that grew so far is replaced as a whole: the agent thought better of it. Not durable.</summary>
/// <param name="Text">The text as it is now.</param>
public sealed record AgentRewrite(string Text) : AgentEvent;

/// <summary>
/// The message whose text grew is over; what grows now is the next one. Only from an agent whose replies reach the outbox by a way of their own: with others
/// the <see cref="AgentReply"/> says it.
/// </summary>
public sealed record AgentMessageEnd : AgentEvent
{
    /// <summary>The one instance.</summary>
    public static AgentMessageEnd Instance { get; } = new();
}

/// <summary>The agent is at work (typing); not durable.</summary>
public sealed record AgentTyping : AgentEvent
{
    /// <summary>The one instance.</summary>
    public static AgentTyping Instance { get; } = new();
}

/// <summary>More of the reasoning.</summary>
/// <param name="Suffix">The text that is new.</param>
/// <param name="IsSummary">True for a summary meant for people; false for raw reasoning.</param>
public sealed record AgentReasoning(string Suffix, bool IsSummary = true) : AgentEvent;

/// <summary>The reasoning before it is whole; what its provider wants back with it, so that the conversation can go on.</summary>
/// <param name="Sealed">The provider's own sealed form, or null.</param>
/// <param name="Extra">What else it wants back, one object, or null.</param>
public sealed record AgentReasoningEnd(string? Sealed = null, JsonElement? Extra = null) : AgentEvent;

/// <summary>A source of the text before it.</summary>
/// <param name="Url">Where it stands.</param>
/// <param name="Title">What it is called, or empty.</param>
/// <param name="Start">The first character of the text that it belongs to.</param>
/// <param name="End">The last one.</param>
public sealed record AgentCitation(string Url, string Title, int Start, int End) : AgentEvent;

/// <summary>More of a refusal: the model says why it doesn't answer.</summary>
/// <param name="Suffix">The text that is new.</param>
public sealed record AgentRefusal(string Suffix) : AgentEvent;

/// <summary>The agent calls a tool.</summary>
/// <param name="CallId">By which the result refers to it.</param>
/// <param name="Name">The function.</param>
/// <param name="Arguments">JSON text, whole.</param>
public sealed record AgentToolCall(string CallId, string Name, string Arguments) : AgentEvent
{
    /// <summary>True when the arguments were cut off: nobody may run it. It is the last event but usage and finish.</summary>
    public bool IsCutOff { get; init; }

    /// <summary>What the provider wants back with the call, one object whose members stand at the call; or null.</summary>
    public JsonElement? Extra { get; init; }
}

/// <summary>A tool that the agent ran itself has given its result. A call without one is the client's to run.</summary>
/// <param name="CallId">The call.</param>
/// <param name="Output">What it gave, as text.</param>
public sealed record AgentToolResult(string CallId, string Output) : AgentEvent;

/// <summary>What the turn cost; the last one counts.</summary>
public sealed record AgentUsage(long InputTokens, long OutputTokens, long CachedTokens = 0, long ReasoningTokens = 0) : AgentEvent;

/// <summary>Why the model stopped. Without one, it came to its end.</summary>
/// <param name="Reason">The reason.</param>
public sealed record AgentFinish(FinishReason Reason) : AgentEvent;

/// <summary>Why a model stopped.</summary>
public enum FinishReason
{
    /// <summary>It had said what it wanted to say.</summary>
    Stop,

    /// <summary>The most tokens were reached: the answer is incomplete.</summary>
    Length,

    /// <summary>A filter of the provider cut it off: the answer is incomplete.</summary>
    ContentFilter,

    /// <summary>The provider gave a reason that nobody knows: whether the answer is whole can't be said, so it is incomplete.</summary>
    Unknown,

    /// <summary>It waits for the client to run its tool calls.</summary>
    ToolCalls,

    /// <summary>It needs to be told more: what it said is a question, and the next message goes on with the same task.</summary>
    InputRequired,

    /// <summary>It needs a permission or a sign-in first; what it said tells which.</summary>
    AuthRequired,

    /// <summary>It won't do this; what it said tells why.</summary>
    Rejected,
}

/// <summary>
/// What the agent is doing, in words for people (<c>reading the files</c>). Not durable, and no part of the answer.
/// </summary>
/// <param name="Text">The words.</param>
public sealed record AgentStatus(string Text) : AgentEvent;

/// <summary>
/// A result that the agent hands over beside its messages: a document, data, a file. One of text, JSON and file is set; a result of several is several events
/// with the same id. Channels without a notion of results get each as a message.
/// </summary>
/// <param name="Id">Which result of the turn.</param>
public sealed record AgentArtifact(string Id) : AgentEvent
{
    /// <summary>What it is called, or null.</summary>
    public string? Name { get; init; }

    /// <summary>What it is, for people; or null.</summary>
    public string? Description { get; init; }

    /// <summary>Text.</summary>
    public string? Text { get; init; }

    /// <summary>Data.</summary>
    public JsonElement? Json { get; init; }

    /// <summary>A file.</summary>
    public Attachment? File { get; init; }

    /// <summary>True: it belongs behind what came of this result before; a text goes on where the last one of it ended. False: the result begins anew.</summary>
    public bool Append { get; init; }

    /// <summary>True: nothing more of this result comes. The end of the turn is the end of every result.</summary>
    public bool LastChunk { get; init; }

    /// <summary>It as a message, for channels without a notion of results: its name and its text, data as indented JSON, or its file.</summary>
    public AgentReply ToReply()
    {
        var text = Text ?? (Json is { } json ? Indented(json) : "");
        if (Name is { Length: > 0 } name && File is null) text = text.Length == 0 ? name : $"{name}\n{text}";
        return new AgentReply(text, "block", File);
    }

    private static string Indented(JsonElement json)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}

/// <summary>A finished message of the answer.</summary>
/// <param name="Text">Its text, refusals not included; empty when the agent had nothing to say, and then a channel delivers nothing.</param>
/// <param name="Kind"><c>final</c>, <c>block</c> or <c>tool</c>.</param>
/// <param name="Attachment">A file that goes with it, or null.</param>
public sealed record AgentReply(string Text, string Kind = "final", Attachment? Attachment = null) : AgentEvent
{
    /// <summary>The whole text of the refusals in this message, or null. A channel shows it where there is no text.</summary>
    public string? Refusal { get; init; }
}
