using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Net;

namespace ChannelBridge.Core.Net;

/// <inheritdoc cref="IGuardedHttp"/>
/// <param name="time">The clock.</param>
/// <param name="resolve">Looks a name up; null: the system.</param>
internal sealed class GuardedHttp(TimeProvider time, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null) : IGuardedHttp, IDisposable
{
    private const int MostRedirects = 10;
    private const int MostClients = 64;

    private static readonly string[] SecretHeaders = ["Authorization", "Proxy-Authorization", "Cookie"];

    // A connection that was made for one set of networks must not be used for another.
    private readonly ConcurrentDictionary<string, (HttpMessageInvoker Client, AllowedNetworks Networks)> _clients = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public async Task<GuardedAnswer> SendAsync(GuardedRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.MaxRedirects is < 0 or > MostRedirects) throw BridgeException.Invalid($"A request follows 0 to {MostRedirects} redirects.");
        var (client, networks) = ClientFor(request.Networks);
        var url = request.Url;
        var verb = new HttpMethod(request.Verb);
        var content = request.Content;
        var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var clock = time.CreateTimer(static state => ((CancellationTokenSource)state!).Cancel(), late, request.Timeout, Timeout.InfiniteTimeSpan);
        HttpResponseMessage? response = null;
        try
        {
            for (var redirects = 0; ; redirects++)
            {
                Check(url, networks);
                using var message = Make(request, url, verb, content, isFirst: redirects == 0);
                response = await client.SendAsync(message, late.Token).ConfigureAwait(false);
                if (redirects >= request.MaxRedirects || NextOf(response, url) is not { } next)
                {
                    var answer = new Answer(response, url, request, late, clock);
                    response = null;
                    late = null;
                    clock = null;
                    return answer;
                }

                if (url.Scheme == Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttps) throw BridgeException.Invalid("The address redirects to one without encryption.");
                if ((int)response.StatusCode is 301 or 302 or 303)
                {
                    if (verb != HttpMethod.Head) verb = HttpMethod.Get;
                    content = default;
                }
                else if (!content.IsEmpty && !SameOrigin(request.Url, next))
                {
                    throw BridgeException.Invalid("The address redirects what is sent there to another one; it isn't sent.");
                }

                url = next;
                response.Dispose();
                response = null;
            }
        }
        catch (HttpRequestException fault) when (fault.InnerException is BridgeException refused)
        {
            throw new BridgeException(refused.Code, refused.Message, fault);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw Broken(fault);
        }
        finally
        {
            response?.Dispose();
            clock?.Dispose();
            late?.Dispose();
        }
    }

    /// <inheritdoc/>
    public async ValueTask CheckAsync(Uri url, IReadOnlyList<string> networks, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(url);
        var allowed = AllowedNetworks.Parse(networks);
        Check(url, allowed);
        if (IPAddress.TryParse(url.IdnHost, out _)) return;
        IPAddress[] addresses;
        try
        {
            addresses = await (resolve ?? Dns.GetHostAddressesAsync)(url.IdnHost, cancellationToken).ConfigureAwait(false);
        }
        catch (System.Net.Sockets.SocketException fault)
        {
            throw Broken(fault);
        }

        if (addresses.Length == 0) throw Broken(null);
        if (!Array.TrueForAll(addresses, address => allowed.Allows(address))) throw Closed();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (client, _) in _clients.Values) client.Dispose();
    }

    /// <summary>Nobody answers, or no more.</summary>
    internal static BridgeException Broken(Exception? fault) =>
        new(ErrorCodes.Unavailable, "The address can't be reached, or it takes too long.", fault) { Retryable = true };

    private static BridgeException Closed() => BridgeException.Invalid("The address leads into a network that this request may not go to; nothing was sent.");

    private static bool SameOrigin(Uri one, Uri other) =>
        one.Scheme == other.Scheme && one.Port == other.Port && string.Equals(one.IdnHost, other.IdnHost, StringComparison.OrdinalIgnoreCase);

    private static Uri? NextOf(HttpResponseMessage response, Uri url) =>
        (int)response.StatusCode is 301 or 302 or 303 or 307 or 308 && response.Headers.Location is { } location ? new Uri(url, location) : null;

    private static void Check(Uri url, AllowedNetworks networks)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https")) throw BridgeException.Invalid("Only http and https addresses are asked.");
        if (url.UserInfo.Length > 0) throw BridgeException.Invalid("An address with a user name isn't asked.");
        if (IPAddress.TryParse(url.IdnHost, out var address) && !networks.Allows(address)) throw Closed();
    }

    private static HttpRequestMessage Make(GuardedRequest request, Uri url, HttpMethod verb, ReadOnlyMemory<byte> content, bool isFirst)
    {
        var message = new HttpRequestMessage(verb, url);
        message.Headers.UserAgent.Add(new ProductInfoHeaderValue("ChannelBridge", null));
        if (!content.IsEmpty || verb == HttpMethod.Post)
        {
            message.Content = new ReadOnlyMemoryContent(content);
            if (request.ContentType is { } type) message.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        foreach (var (name, value) in request.Headers)
        {
            if (!isFirst && (SecretHeaders.Contains(name, StringComparer.OrdinalIgnoreCase) || request.Secrets.Contains(name, StringComparer.OrdinalIgnoreCase))) continue;
            if (string.Equals(name, "User-Agent", StringComparison.OrdinalIgnoreCase)) message.Headers.UserAgent.Clear();
            message.Headers.TryAddWithoutValidation(name, value);
        }

        return message;
    }

    private (HttpMessageInvoker Client, AllowedNetworks Networks) ClientFor(IReadOnlyList<string> names)
    {
        var key = string.Join('|', names.Order(StringComparer.Ordinal));
        if (_clients.TryGetValue(key, out var known)) return known;
        var networks = AllowedNetworks.Parse(names);
        if (_clients.Count >= MostClients) throw BridgeException.Invalid($"Requests go to at most {MostClients} different sets of networks.");
        var made = (new HttpMessageInvoker(GuardedHandler.Create(networks.Allows, resolve, Closed)), networks);
        var kept = _clients.GetOrAdd(key, made);
        if (!ReferenceEquals(kept.Item1, made.Item1)) made.Item1.Dispose();
        return kept;
    }

    private sealed class Answer(
        HttpResponseMessage response, Uri url, GuardedRequest request, CancellationTokenSource late, ITimer clock) : GuardedAnswer
    {
        public override int Status => (int)response.StatusCode;

        public override Uri Url => url;

        public override string? ContentType => response.Content.Headers.ContentType?.MediaType;

        public override string? Header(string name) =>
            response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values) ? string.Join(", ", values) : null;

        public override async ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken = default)
        {
            if (response.Content.Headers.ContentLength > request.MaxBytes) throw TooLarge();
            var whole = new MemoryStream();
            var buffer = new byte[16 * 1024];
            // Not for each read anew: a body that drips isn't waited for.
            clock.Change(request.Timeout, Timeout.InfiniteTimeSpan);
            var body = await OpenAsync(cancellationToken).ConfigureAwait(false);
            while (await ReadAsync(body, buffer, cancellationToken).ConfigureAwait(false) is var count and > 0)
            {
                if (whole.Length + count > request.MaxBytes) throw TooLarge();
                whole.Write(buffer, 0, count);
            }

            return whole.GetBuffer().AsMemory(0, (int)whole.Length);
        }

        public override async IAsyncEnumerable<Abstractions.Endpoints.ServerEvent> ReadEventsAsync(
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var parser = new EventParser(request.MaxBytes);
            var buffer = new byte[16 * 1024];
            var body = await OpenAsync(cancellationToken).ConfigureAwait(false);
            while (true)
            {
                clock.Change(request.Timeout, Timeout.InfiniteTimeSpan);
                var count = await ReadAsync(body, buffer, cancellationToken).ConfigureAwait(false);
                // What has no empty line behind it was cut off, and is no event.
                if (count == 0) yield break;
                // Whoever reads slowly isn't the other side's fault.
                clock.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                for (var at = 0; at < count;)
                {
                    at += parser.Feed(buffer.AsSpan(at, count - at), out var item);
                    if (item is { } found) yield return found;
                }
            }
        }

        public override ValueTask DisposeAsync()
        {
            clock.Dispose();
            response.Dispose();
            late.Dispose();
            return default;
        }

        private async Task<Stream> OpenAsync(CancellationToken cancellationToken) => await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);

        private async ValueTask<int> ReadAsync(Stream body, byte[] buffer, CancellationToken cancellationToken)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
            try
            {
                return await body.ReadAsync(buffer, either.Token).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is HttpRequestException or IOException || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                throw Broken(fault);
            }
        }

        private BridgeException TooLarge() => new(ErrorCodes.PayloadTooLarge, $"The answer is larger than {request.MaxBytes} bytes.");
    }
}
