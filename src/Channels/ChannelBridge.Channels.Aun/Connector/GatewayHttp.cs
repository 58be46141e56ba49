using System.Net;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>What a gateway tells over HTTP: where it is, its health, certificates. No redirects, no cookies, nothing larger than a list of what was revoked.</summary>
internal sealed class GatewayHttp : IDisposable
{
    private const int LongestBody = 1024 * 1024;
    private readonly HttpClient _http;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    /// <summary>A client.</summary>
    public GatewayHttp(ServerTrust trust, TimeSpan timeout, TimeProvider time)
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, errors) => trust.Accepts(certificate, chain, errors);
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = LongestBody };
        (_timeout, _time) = (timeout, time);
    }

    /// <summary>A text; null when there is none (404).</summary>
    /// <exception cref="BridgeException"><c>TIMEOUT</c>, <c>UNAVAILABLE</c>.</exception>
    public async Task<string?> GetAsync(Uri url, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(_timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            using var answer = await _http.GetAsync(url, linked.Token).ConfigureAwait(false);
            if (answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone) return null;
            if (answer.StatusCode != HttpStatusCode.OK)
                throw new BridgeException(ErrorCodes.Unavailable, $"{url.Host} answered {(int)answer.StatusCode} to {url.AbsolutePath}") { Retryable = true };
            return Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(linked.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"{url.Host} didn't answer within {_timeout.TotalSeconds:0.###} s") { Retryable = true };
        }
        catch (HttpRequestException fault)
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"{url.Host} can't be reached: {GatewaySocket.Explain(fault)}", fault) { Retryable = true };
        }
    }

    /// <summary>The gateway of an AID: that with the lowest priority number.</summary>
    /// <exception cref="BridgeException">No address tells of one.</exception>
    public async Task<Uri> DiscoverAsync(string aid, int? port, bool isDevelopment, CancellationToken cancellationToken)
    {
        var failures = new List<string>();
        foreach (var address in GatewayAddress.Discovery(aid, port, isDevelopment))
        {
            try
            {
                if (await GetAsync(address, cancellationToken).ConfigureAwait(false) is { } text && Best(text) is { } gateway) return gateway;
                failures.Add($"{address.Host} tells of no gateway");
            }
            catch (BridgeException fault)
            {
                failures.Add(fault.Message);
            }
        }

        throw new BridgeException(ErrorCodes.Unavailable, $"no gateway of {aid} was found ({string.Join("; ", failures)}); GatewayUrl names one") { Retryable = true };
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static Uri? Best(string text)
    {
        try
        {
            return Wire.List(JsonElement.Parse(Encoding.UTF8.GetBytes(text)), "gateways")
                .Select(static one => (Url: GatewayAddress.TryParse(Wire.Text(one, "url")), Priority: Wire.Whole(one, "priority") ?? long.MaxValue))
                .Where(static one => one.Url is not null).OrderBy(static one => one.Priority).FirstOrDefault().Url;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
