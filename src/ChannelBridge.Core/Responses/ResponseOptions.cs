namespace ChannelBridge.Core.Responses;

/// <summary>How raw reasoning is streamed. Summaries always are.</summary>
public enum RawReasoning
{
    /// <summary>Not at all.</summary>
    Off,

    /// <summary><c>response.reasoning.delta</c>, the spec's name; the npm client's <c>.stream()</c> throws at it.</summary>
    Spec,

    /// <summary><c>response.reasoning_text.delta</c>, the name that OpenAI's clients know.</summary>
    OpenAI,
}

/// <summary>Bounds and times of responses (section <c>Responses</c>).</summary>
public sealed class ResponseOptions
{
    /// <summary>Responses of one agent that run at once; default 10. One token holds four of five at most.</summary>
    public int Slots { get; set; } = 10;

    /// <summary>Responses of one agent that wait for a slot (<c>response.queued</c>); default 100, of one token three of four. Beyond it
    /// <c>too_many_requests</c>.</summary>
    public int QueueCapacity { get; set; } = 100;

    /// <summary>The longest time for one response, waiting included; default 30 minutes. Beyond it it fails with the code <c>timeout</c>.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>True: a response whose client has left is cancelled, unless it asked for <c>background</c>. Default false: it goes on and can be resumed.</summary>
    public bool CancelOnDisconnect { get; set; }

    /// <summary>
    /// A response that nobody reads for so long is ended (code <c>abandoned</c>) and frees its slot; one that asked for <c>background</c>
    /// isn't. Default 5 minutes.
    /// </summary>
    public TimeSpan AbandonedAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the events of a response can be replayed after its end; default 1 hour.</summary>
    public TimeSpan ReplayRetention { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The most bytes of the disk for replay; default 1 GiB. Beyond it the events of the oldest ended responses go.</summary>
    public long ReplayCapacity { get; set; } = 1L << 30;

    /// <summary>How long stored responses are kept for <c>previous_response_id</c> and <c>GET</c>; default 30 days.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Bytes of a conversation's items at most, earlier turns included; default 32 MiB.</summary>
    public long ConversationCapacity { get; set; } = 32L << 20;

    /// <summary>Bytes of a request's body; default 26,214,400.</summary>
    public int MaxBodyBytes { get; set; } = 26_214_400;

    /// <summary>Letters (graphemes) of one delta at most; default 50.</summary>
    public int DeltaGraphemes { get; set; } = 50;

    /// <summary>
    /// How long text is gathered before it goes; default 0: what is there goes as soon as the agent pauses. Above zero, fewer and larger events come a little
    /// later; the first text after a pause always goes at once.
    /// </summary>
    public TimeSpan DeltaInterval { get; set; } = TimeSpan.Zero;

    /// <summary>Letters (graphemes) that are held back of an agent that may correct itself (<c>openclaw</c>), so that small corrections stay invisible; default 8.</summary>
    public int HeldGraphemes { get; set; } = 8;

    /// <summary>How long letters are held back at most; default 250 ms.</summary>
    public TimeSpan HeldTime { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Whether raw reasoning is streamed, and by which names; default off.</summary>
    public RawReasoning RawReasoning { get; set; }

    /// <summary>Comments that keep an idle event stream alive come this often; default 15 s.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a WebSocket of <c>/v1/responses</c> may live; default 60 minutes.</summary>
    public TimeSpan SocketLifetime { get; set; } = TimeSpan.FromMinutes(60);

    /// <summary>The agent of requests whose model names none; the host sets it to <c>Agents:Default</c>.</summary>
    public string DefaultAgent { get; set; } = "echo";

    /// <summary>The folder of the replay journals; the host sets it to <c>DATA/responses</c>.</summary>
    public string Directory { get; set; } = Path.Combine(Path.GetTempPath(), "channelbridge-responses");
}
