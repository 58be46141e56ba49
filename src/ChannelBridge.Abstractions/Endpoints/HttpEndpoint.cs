namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>How the door looks at a body before the handler sees it.</summary>
public enum BodyFormat
{
    /// <summary>Bytes: only their number is bounded.</summary>
    Bytes,

    /// <summary>One JSON value: UTF-8, and within the host's bounds on depth, members and values. Anything else is answered 400.</summary>
    Json,
}

/// <summary>One HTTP endpoint of a channel.</summary>
public sealed record HttpEndpoint
{
    /// <summary>The verbs, in upper case. <c>HEAD</c> is answered by <c>GET</c> without a body.</summary>
    public required IReadOnlyList<string> Verbs { get; init; }

    /// <summary>
    /// The path's template: <c>/a/{id}</c>, <c>/tasks/{id}:cancel</c>, <c>/files/{*rest}</c>. A parameter is a segment or a part of one, the last one with <c>*</c> is
    /// the rest of the path. What is written out goes before a parameter. Compared with case.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>Who is let in.</summary>
    public required EndpointAccess Access { get; init; }

    /// <summary>Where it answers.</summary>
    public EndpointPlace Place { get; init; } = EndpointPlace.Listener;

    /// <summary>The largest body; default 1 MiB. A larger one is answered 413 before the handler is called.</summary>
    public int MaxBodyBytes { get; init; } = 1024 * 1024;

    /// <summary>What a body is.</summary>
    public BodyFormat Body { get; init; } = BodyFormat.Bytes;

    /// <summary>What is done here, for rates, metrics and the log; null: the template. Endpoints of one channel with the same operation share a rate.</summary>
    public string? Operation { get; init; }

    /// <summary>How often a caller may come, or null: only the host's general limits hold.</summary>
    public EndpointRate? Rate { get; init; }

    /// <summary>True where pages of any origin may ask; the handler answers with the headers that browsers want then.</summary>
    public bool AnyOrigin { get; init; }

    /// <summary>
    /// Answers. It ends when the answer is complete, for an event stream when the stream is. A <see cref="Errors.BridgeException"/> before the answer has begun is
    /// answered with its code's status as <c>{"error":{code,message,retryable,retryAfterMs}}</c>.
    /// </summary>
    public required Func<HttpExchange, CancellationToken, ValueTask> Handler { get; init; }
}
