using System.Collections.Frozen;
using System.Net;

namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>A request without its body. All of it is text that a stranger has written: check before you use it.</summary>
public sealed record EndpointRequest
{
    /// <summary>Unique in this host's life; for logs.</summary>
    public required string Id { get; init; }

    /// <summary>The verb, in upper case.</summary>
    public required string Verb { get; init; }

    /// <summary>The path as it was asked for, decoded.</summary>
    public required string Path { get; init; }

    /// <summary>The query with its question mark as it was asked for, or empty.</summary>
    public string QueryText { get; init; } = "";

    /// <summary>Scheme and authority as the client sees them, e.g. <c>https://bridge.example.org</c>. The authority is the client's word.</summary>
    public required string Origin { get; init; }

    /// <summary>The template that matched.</summary>
    public required string Template { get; init; }

    /// <summary>The name under <c>Listen:Addresses</c> of the address that the request came in by; null on the host's own listener.</summary>
    public string? Address { get; init; }

    /// <summary>Where the client is, behind trusted proxies; null where it can't be told.</summary>
    public IPAddress? RemoteAddress { get; init; }

    /// <summary>The address and port of this host that the connection came in by; null where there is none. Behind a proxy it is the one that the proxy calls.</summary>
    public IPEndPoint? LocalAddress { get; init; }

    /// <summary>The values of the template's parameters, decoded, by name.</summary>
    public IReadOnlyDictionary<string, string> PathValues { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>The query's values by name, decoded; of a name that stands several times the values in their order.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Query { get; init; } = FrozenDictionary<string, IReadOnlyList<string>>.Empty;

    /// <summary>
    /// The headers by name, without case; several of one name are joined by commas. <c>Authorization</c> only for the channel's own check and
    /// anonymous endpoints.
    /// </summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>A path value.</summary>
    public string PathValue(string name) => PathValues[name];

    /// <summary>The first value of a name in the query, or null.</summary>
    public string? QueryValue(string name) => Query.TryGetValue(name, out var values) && values.Count > 0 ? values[0] : null;

    /// <summary>A header, or null.</summary>
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}
