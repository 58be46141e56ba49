namespace ChannelBridge.A2A.Client;

/// <summary>Who named an address.</summary>
public enum UrlOrigin
{
    /// <summary>The person who set the client up: it may lead to wherever that person wants.</summary>
    Operator,

    /// <summary>The peer, by its card: it may not lead where only the operator may go.</summary>
    Peer,
}

/// <summary>How a client speaks to a peer.</summary>
public sealed class A2AClientOptions
{
    /// <summary>
    /// Where the peer is: the base of its address, where the card is looked for below <c>/.well-known/</c>, or the card's own address,
    /// ending in <c>.json</c>.
    /// </summary>
    public required Uri Address { get; init; }

    /// <summary>An interface that is used without asking for a card.</summary>
    public AgentInterface? Direct { get; init; }

    /// <summary>
    /// The key that the peer knows the client by, read anew for each request. It is sent to the host of <see cref="Address"/> only.
    /// </summary>
    public Func<string?>? Key { get; init; }

    /// <summary>
    /// Shows the peer who asks where a key doesn't: a signature, for example. Called for each request to the host of <see cref="Address"/>, right before it is sent and
    /// after <see cref="Key"/>; the body is in memory. Null: nothing more is shown.
    /// </summary>
    public Func<HttpRequestMessage, CancellationToken, ValueTask>? Authorize { get; init; }

    /// <summary>
    /// A further condition on the addresses that the client's own handler connects to, asked with what a name has just been resolved to. Null: link-local addresses
    /// alone are refused. A handler from <see cref="Http"/> has its own.
    /// </summary>
    public Func<System.Net.IPAddress, bool>? MayConnect { get; init; }

    /// <summary>Only this version; null means the newest that both speak.</summary>
    public string? Version { get; init; }

    /// <summary>Only this transport, one of <see cref="Bindings"/>; null means JSON-RPC first.</summary>
    public string? Binding { get; init; }

    /// <summary>
    /// What carries requests out, by who named the address. It follows no redirects. Null: a handler of the client's own, and a card's
    /// interfaces on other hosts aren't used.
    /// </summary>
    public Func<UrlOrigin, HttpMessageInvoker>? Http { get; init; }

    /// <summary>How long a connection may take to come about; a handler from <see cref="Http"/> has its own.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long an answer may take to begin; a send that waits for its task's end has <see cref="TotalTimeout"/>.</summary>
    public TimeSpan FirstAnswerTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a stream may say nothing, not even that it is alive.</summary>
    public TimeSpan SilenceTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a call may take as a whole; a stream, too.</summary>
    public TimeSpan TotalTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How often a call is tried again, while nothing of an answer has come.</summary>
    public int Retries { get; init; } = 2;

    /// <summary>The wait before the first further try; each later one is twice as long.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest wait before a try. A peer that asks for more is given up.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many calls of a window must be there, half of them failed, before the peer is left alone.</summary>
    public int BreakerFailures { get; init; } = 5;

    /// <summary>The window.</summary>
    public TimeSpan BreakerWindow { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the peer is left alone.</summary>
    public TimeSpan BreakerPause { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a card is used before the peer is asked whether it is still the same.</summary>
    public TimeSpan CardLifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The waits between polls of a task, where the peer doesn't stream; the last one goes on.</summary>
    public IReadOnlyList<TimeSpan> PollDelays { get; init; } =
        [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(5)];

    /// <summary>The largest card.</summary>
    public int MaxCardBytes { get; init; } = 256 * 1024;

    /// <summary>The largest answer that isn't a stream.</summary>
    public int MaxAnswerBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>The largest event of a stream.</summary>
    public int MaxEventBytes { get; init; } = 1024 * 1024;

    /// <summary>The largest stream.</summary>
    public long MaxStreamBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
