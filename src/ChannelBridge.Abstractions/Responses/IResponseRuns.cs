using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Abstractions.Responses;

/// <summary>
/// Runs agents for clients that read a strict stream of Open Responses events: the HTTP and WebSocket doors, the gateway methods, InstaClaw. A run goes on
/// while nobody reads it; what it has said is kept for its time, so that a reader that comes back goes on where it was.
/// </summary>
public interface IResponseRuns
{
    /// <summary>
    /// Starts a run, or puts it in line when all slots are taken: the stream then says <c>response.queued</c>. With an id that is known, the run that
    /// has it is returned and nothing is started.
    /// </summary>
    /// <exception cref="BridgeException"><c>BUSY</c>: the line is full, too. <c>NOT_FOUND</c>: <c>previous_response_id</c> or the agent is unknown.</exception>
    ValueTask<IResponseRun> StartAsync(ResponseStart start, CancellationToken cancellationToken);

    /// <summary>A run by its response id, running or kept; null when it is unknown, expired, or another owner's.</summary>
    ValueTask<IResponseRun?> FindAsync(string responseId, string owner, CancellationToken cancellationToken);
}

/// <summary>What a run starts from.</summary>
public sealed record ResponseStart
{
    /// <summary>The request as the client made it; <see cref="ResponseRequest.PreviousResponseId"/> is resolved by the run.</summary>
    public required ResponseRequest Request { get; init; }

    /// <summary>Who may see, resume, cancel and continue it: the token's name, or a channel's account (<c>instaclaw:main</c>).</summary>
    public required string Owner { get; init; }

    /// <summary>The agent by name; null: the request's model when it names one, else the default.</summary>
    public string? Agent { get; init; }

    /// <summary>The response id (<c>resp_…</c>), stable over redeliveries of the same request; null: a new one.</summary>
    public string? ResponseId { get; init; }

    /// <summary>
    /// True: the end of the host isn't the end of the run. Whoever starts it again under its <see cref="ResponseId"/> after the restart goes on behind the events
    /// that were sent, and the agent is asked anew: what it says the same way goes on where the text was, and text that it says otherwise comes as a further
    /// message behind the old one, which is closed as commentary. Who isn't started again within <c>Responses:ReplayRetention</c> fails as
    /// <c>interrupted</c>. Default false: it fails so at once.
    /// </summary>
    public bool OutlivesHost { get; init; }

    /// <summary>
    /// What was said before the request's input, oldest first, when the caller keeps the conversation itself; null: <see cref="ResponseRequest.PreviousResponseId"/>
    /// says it, if anything does.
    /// </summary>
    public IReadOnlyList<ResponseItem>? History { get; init; }

    /// <summary>The conversation as agents with a memory of their own name it; null: that of the response that is continued, else the response's own id.</summary>
    public string? Session { get; init; }

    /// <summary>False: the agent isn't asked; the response is complete at once and empty, and what it says can be continued. Default true.</summary>
    public bool Generate { get; init; } = true;

    /// <summary>The message that the agent's turn carries, when a channel has one (session key, sender); null: made from the request.</summary>
    public InboundMessage? Message { get; init; }

    /// <summary>The slots that the run waits for; null: those of the doors.</summary>
    public TurnSlots? Slots { get; init; }

    /// <summary>How long it may take, waiting included; null: the setting's.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How text deltas are joined and cut; null: the setting's.</summary>
    public DeltaCoalescing? Coalescing { get; init; }
}

/// <summary>Text deltas are joined until one of the two is reached, and a longer one is cut; always between graphemes.</summary>
/// <param name="MaxGraphemes">The most graphemes of one delta, at least 1.</param>
/// <param name="MaxDelay">How long a delta that isn't full waits for more.</param>
public sealed record DeltaCoalescing(int MaxGraphemes, TimeSpan MaxDelay);

/// <summary>One response, from its request to its terminal event.</summary>
public interface IResponseRun
{
    /// <summary>The response id, <c>resp_…</c>.</summary>
    string Id { get; }

    /// <summary>The conversation that it belongs to; see <see cref="ResponseStart.Session"/>.</summary>
    string Session => Id;

    /// <summary>The response as the last event said that carries one, as one JSON object: <c>created</c>, <c>queued</c>, <c>in_progress</c> or the terminal one.</summary>
    ReadOnlyMemory<byte> Snapshot => default;

    /// <summary>
    /// Its output as its agent is to be told it when the conversation goes on, where that is more than the response shows; null otherwise,
    /// and before its end.
    /// </summary>
    IReadOnlyList<ResponseItem>? Kept => null;

    /// <summary>Why it failed, with what clients are told beside the response; null when it didn't, hasn't ended, or that isn't known any
    /// more.</summary>
    ResponseError? Failure => null;

    /// <summary>Waits for <see cref="Completion"/> as a reader: a run without readers is ended after a time.</summary>
    /// <param name="cancellationToken">Ends the waiting, not the run.</param>
    async ValueTask<ReadOnlyMemory<byte>> WaitAsync(CancellationToken cancellationToken) =>
        await Completion.WaitAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>
    /// The events after a sequence number (−1: from the first), those to come included, up to and with the terminal one. Ends early only when
    /// <paramref name="cancellationToken"/> asks; that ends the reading, not the run.
    /// </summary>
    /// <exception cref="BridgeException">The reader is slower than the buffer keeps, or the events have expired.</exception>
    IAsyncEnumerable<StreamEvent> ReadAsync(long after, CancellationToken cancellationToken);

    /// <summary>Completes with the final response, as one JSON object, when the terminal event is durable.</summary>
    Task<ReadOnlyMemory<byte>> Completion { get; }

    /// <summary>Cancels the agent's turn. The stream ends with <c>response.failed</c>, code <c>cancelled</c>; nothing happens when it has ended.</summary>
    ValueTask CancelAsync();
}

/// <summary>One event of a stream, ready for the wire.</summary>
/// <param name="Sequence">Its <c>sequence_number</c>.</param>
/// <param name="Type">Its type, e.g. <c>response.output_text.delta</c>.</param>
/// <param name="Json">The whole event as one JSON object.</param>
public sealed record StreamEvent(long Sequence, string Type, ReadOnlyMemory<byte> Json)
{
    /// <summary>True for <c>response.completed</c>, <c>response.incomplete</c> and <c>response.failed</c>: nothing follows.</summary>
    public bool IsTerminal => Type is "response.completed" or "response.incomplete" or "response.failed";
}
