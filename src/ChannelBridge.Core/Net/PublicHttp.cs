using System.Net;
using System.Net.Http.Headers;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Net;

/// <summary>
/// Gets what strangers' URLs name, from the public internet only. The address is checked at the moment of the connection, for every redirect anew, so that a
/// name that resolves to something else the second time gains nothing. Bounded in time, bytes and redirects; no cookies, no credentials, no proxy.
/// </summary>
internal sealed class PublicHttp : IDisposable
{
    private const int MaxRedirects = 5;

    private readonly HttpClient _client;
    private readonly Func<IPAddress, bool> _allows;

    /// <summary>Makes one.</summary>
    /// <param name="timeout">For the beginning of an answer, from the name's look-up on, and again for its body; the latter for every 4 MiB anew.</param>
    /// <param name="allows">Which addresses are allowed; null: <see cref="PublicAddresses.IsPublic"/>.</param>
    /// <param name="resolve">Looks a name up; null: the system.</param>
    public PublicHttp(TimeSpan timeout, Func<IPAddress, bool>? allows = null, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        _allows = allows ?? PublicAddresses.IsPublic;
        var handler = GuardedHandler.Create(_allows, resolve, Private);
        _client = new HttpClient(handler) { Timeout = timeout };
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("ChannelBridge", null));
    }

    /// <summary>Opens a file; nothing of it is held in memory.</summary>
    /// <param name="url">http or https.</param>
    /// <param name="maxBytes">The largest that is taken; what turns out to be larger fails while it is read.</param>
    /// <param name="cancellationToken">Gives up, also while it is read.</param>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c>: the URL leads to a private address or isn't http;
    /// <c>PAYLOAD_TOO_LARGE</c>; <c>UNAVAILABLE</c>: it can't be got.</exception>
    public async Task<PublicFileStream> OpenAsync(Uri url, long maxBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(url);
        for (var redirects = 0; redirects <= MaxRedirects; redirects++)
        {
            Check(url);
            HttpResponseMessage? response = null;
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, url);
                response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
                if ((int)response.StatusCode is >= 300 and < 400 && response.Headers.Location is { } location)
                {
                    url = new Uri(url, location);
                    continue;
                }

                if (!response.IsSuccessStatusCode) throw new BridgeException(ErrorCodes.Unavailable, $"The URL answered with the status {(int)response.StatusCode}.");
                if (response.Content.Headers.ContentLength > maxBytes) throw PublicFileStream.TooLarge(maxBytes);
                var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
                var file = new PublicFileStream(response, body, maxBytes, _client.Timeout);
                response = null;
                return file;
            }
            catch (HttpRequestException fault) when (fault.InnerException is BridgeException)
            {
                throw Private();
            }
            catch (Exception fault) when (fault is HttpRequestException or IOException || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                throw PublicFileStream.Broken(fault);
            }
            finally
            {
                response?.Dispose();
            }
        }

        throw new BridgeException(ErrorCodes.InvalidRequest, $"The URL redirects more than {MaxRedirects} times.");
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private void Check(Uri url)
    {
        if (url.Scheme is not ("http" or "https")) throw new BridgeException(ErrorCodes.InvalidRequest, "Only http and https URLs are read.");
        if (url.UserInfo.Length > 0) throw new BridgeException(ErrorCodes.InvalidRequest, "A URL with a user name is not read.");
        if (IPAddress.TryParse(url.IdnHost, out var address) && !_allows(address)) throw Private();
    }

    private static BridgeException Private() => new(ErrorCodes.InvalidRequest, "The URL leads to a private address; only files of the public internet are read.");
}
