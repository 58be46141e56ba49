namespace ChannelBridge.A2A.Server;

/// <summary>A request over plain HTTP, below the server's base.</summary>
public sealed record RestRequest
{
    /// <summary>The client that was authenticated.</summary>
    public required string Client { get; init; }

    /// <summary>The verb, in upper case.</summary>
    public required string Verb { get; init; }

    /// <summary>The path below the base without a leading slash, decoded: <c>tasks/1:cancel</c>, <c>v1/message:send</c>.</summary>
    public required string Path { get; init; }

    /// <summary>The first value of a name in the query, or null.</summary>
    public Func<string, string?> Query { get; init; } = static _ => null;

    /// <summary>What the <c>A2A-Version</c> header or query says, or null.</summary>
    public string? Version { get; init; }

    /// <summary>What the <c>Content-Type</c> header says, or null.</summary>
    public string? ContentType { get; init; }

    /// <summary>The body; it must stay until the call has ended.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }
}
