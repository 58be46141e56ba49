using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Net;

/// <summary>A request to an address that somebody else has named: an agent's card, a webhook, a platform.</summary>
public sealed record GuardedRequest
{
    /// <summary>The name of the public internet among <see cref="Networks"/>.</summary>
    public const string Public = "public";

    /// <summary>http or https, without a user name.</summary>
    public required Uri Url { get; init; }

    /// <summary>The verb.</summary>
    public string Verb { get; init; } = "GET";

    /// <summary>Headers. All of them are left out after a redirect that are named in <see cref="Secrets"/> or carry credentials by their meaning.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Names of headers that carry secrets, beside <c>Authorization</c>, <c>Proxy-Authorization</c> and <c>Cookie</c>.</summary>
    public IReadOnlyList<string> Secrets { get; init; } = [];

    /// <summary>The body; empty for none. It goes to the origin of <see cref="Url"/> only.</summary>
    public ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>The body's type.</summary>
    public string? ContentType { get; init; }

    /// <summary>Where the address may lie, looked at when each connection is made: <see cref="Public"/>, or networks such as <c>10.1.0.0/16</c> and <c>127.0.0.1/32</c>.</summary>
    public IReadOnlyList<string> Networks { get; init; } = [Public];

    /// <summary>How many redirects are followed; default none: the answer that redirects is the answer.</summary>
    public int MaxRedirects { get; init; }

    /// <summary>How long the head of the answer may take, and each wait for more of it; default 30 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest answer, or the largest single event of a stream; default 4 MiB.</summary>
    public int MaxBytes { get; init; } = 4 * 1024 * 1024;
}

/// <summary>An answer whose body is still to be read.</summary>
public abstract class GuardedAnswer : IAsyncDisposable
{
    /// <summary>The status.</summary>
    public abstract int Status { get; }

    /// <summary>Where it came from, after redirects.</summary>
    public abstract Uri Url { get; }

    /// <summary>The body's media type, or null.</summary>
    public abstract string? ContentType { get; }

    /// <summary>A header, several of one name joined by commas; or null.</summary>
    public abstract string? Header(string name);

    /// <summary>Reads the whole body, up to <see cref="GuardedRequest.MaxBytes"/>.</summary>
    /// <exception cref="BridgeException"><c>PAYLOAD_TOO_LARGE</c>; <c>UNAVAILABLE</c>: it broke off or took too long.</exception>
    public abstract ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken = default);

    /// <summary>Reads the body as an event stream until it ends; each event is bounded, and so is the silence between two of them.</summary>
    /// <exception cref="BridgeException">As <see cref="ReadAsync"/>.</exception>
    public abstract IAsyncEnumerable<ServerEvent> ReadEventsAsync(CancellationToken cancellationToken = default);

    /// <summary>Ends the answer, read or not.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>
/// HTTP to addresses that others have named. The address is checked at the moment of each connection, so that a name that resolves to something else the second time
/// gains nothing; redirects are followed only where the request allows them, checked anew, and without secrets. No cookies, no proxy, no credentials of this machine.
/// </summary>
public interface IGuardedHttp
{
    /// <summary>Sends a request and returns when the head of its answer is there.</summary>
    /// <exception cref="BridgeException">
    /// <c>INVALID_REQUEST</c>: the URL or a redirect leads where it may not, nothing was sent there; <c>UNAVAILABLE</c> (retryable): nobody answers.
    /// </exception>
    Task<GuardedAnswer> SendAsync(GuardedRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// Looks where an address leads now, and sends nothing: for one that is to be kept. It is checked again at each connection; what is allowed now may be refused then.
    /// </summary>
    /// <exception cref="BridgeException">
    /// <c>INVALID_REQUEST</c>: it leads where it may not; <c>UNAVAILABLE</c> (retryable): its name can't be looked up.
    /// </exception>
    ValueTask CheckAsync(Uri url, IReadOnlyList<string> networks, CancellationToken cancellationToken = default);
}
