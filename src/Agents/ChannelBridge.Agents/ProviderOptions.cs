using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Agents;

/// <summary>One agent behind a URL. Section <c>Agents:NAME</c>.</summary>
public sealed class ProviderOptions
{
    /// <summary>The name by which channels, accounts and requests choose it.</summary>
    public string Name { get; set; } = "";

    /// <summary>What the URL speaks.</summary>
    public AgentKind Kind { get; set; }

    /// <summary>
    /// Where it is: the whole address, or one up to <c>/v1</c>, or host and port alone. <c>/responses</c> or <c>/chat/completions</c>, and <c>/v1</c> before it
    /// where there is no path at all, are added when they are missing; a query stays.
    /// </summary>
    public Uri? Url { get; set; }

    /// <summary>The model that is asked for, whatever a request names; null: the request's own, else <c>default</c>.</summary>
    public string? Model { get; set; }

    /// <summary>The file whose first line is the key, sent as bearer token and read anew for each turn; null: none.</summary>
    public string? KeyFile { get; set; }

    /// <summary>The environment variable that holds the key, e.g. <c>OPENAI_API_KEY</c>; null: none. Not together with <see cref="KeyFile"/>.</summary>
    public string? KeyVariable { get; set; }

    /// <summary>What the model is told before each conversation, before a request's own instructions; null: nothing.</summary>
    public string? Instructions { get; set; }

    /// <summary>How a <c>/v1/responses</c> wants its requests. Default auto.</summary>
    public ResponsesDialect Dialect { get; set; }

    /// <summary>How long a connection may take, TLS included. Default 10 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the first text, reasoning or tool call may take from the turn's start, retries included. Default 2 minutes.</summary>
    public TimeSpan FirstTokenTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long the stream may be silent once it has begun. Default 1 minute.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a whole turn may take. Default 9.5 minutes: a little less than <c>Limits:TurnTimeout</c>.</summary>
    public TimeSpan TurnTimeout { get; set; } = TimeSpan.FromMinutes(9.5);

    /// <summary>How often a request is sent again when it failed before the first byte of its answer. Default 2.</summary>
    public int Retries { get; set; } = 2;

    /// <summary>The pause before the first of them, doubled each time and scattered; what <c>Retry-After</c> says goes before. Default 500 ms.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>A longer <c>Retry-After</c> isn't waited for in the turn: the turn fails and says when it is worth trying again. Default 20 s.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>After so many failed turns within <see cref="BreakerWindow"/>, and when they are half of all turns or more, the agent rests. 2 or more; default 5.</summary>
    public int BreakerFailures { get; set; } = 5;

    /// <summary>Over which time failures are counted. Default 30 s.</summary>
    public TimeSpan BreakerWindow { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long it rests; messages of channels wait meanwhile, at no cost of an attempt. Default 15 s.</summary>
    public TimeSpan BreakerPause { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Messages of a conversation that the host keeps for the agent, both sides together; 0 for none. Default 40.</summary>
    public int MemoryMessages { get; set; } = 40;

    /// <summary>Characters of a conversation that the host keeps. Default 64 Ki.</summary>
    public int MemoryCharacters { get; set; } = 64 * 1024;

    /// <summary>How long a conversation is kept after its last message. Default 30 days.</summary>
    public TimeSpan MemoryLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>The largest single event of a stream, and the largest answer that isn't a stream, in bytes. Default 16 MiB.</summary>
    public int MaxEventBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>The most bytes of one answer's stream. Default 256 MiB.</summary>
    public long MaxStreamBytes { get; set; } = 256L * 1024 * 1024;

    internal AgentMemory? Memory => MemoryMessages < 2 ? null : new AgentMemory(MemoryMessages, MemoryCharacters, MemoryLifetime);
}
