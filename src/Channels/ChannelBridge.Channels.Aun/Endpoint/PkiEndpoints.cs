using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Aun.Pki;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>What clients ask for over HTTP: where the gateway is, whether it lives, and certificates.</summary>
internal sealed class PkiEndpoints(Authority authority, IdentityBook identities, AunOptions options)
{
    private const string Pem = "application/x-pem-file";

    // A client asks for each sender's certificate once, and for the others hardly ever.
    private static readonly EndpointRate Lookups = new(500, 2000);

    /// <summary>The endpoints.</summary>
    public IEnumerable<HttpEndpoint> Http =>
    [
        Make("/pki/chain", (exchange, stop) => exchange.AnswerAsync(Text(authority.ChainPem), stop)),
        Make("/pki/cert/{aid}", CertificateAsync),
        Make("/pki/crl.json", async (exchange, stop) => await AnswerAsync(exchange, await identities.CrlAsync(stop).ConfigureAwait(false), stop).ConfigureAwait(false)),
        Make("/health", (exchange, stop) => AnswerAsync(exchange, new JsonObject { ["status"] = "ok" }, stop)),
        Make("/.well-known/aun-gateway", (exchange, stop) => AnswerAsync(exchange, Discovery(exchange.Request), stop)),
    ];

    private JsonObject Discovery(EndpointRequest request)
    {
        var url = options.GatewayUrl ?? (request.Origin.StartsWith("https", StringComparison.OrdinalIgnoreCase) ? "wss" : "ws")
            + request.Origin[request.Origin.IndexOf("://", StringComparison.Ordinal)..] + AunEndpoint.SocketPath;
        return new JsonObject { ["gateways"] = new JsonArray(new JsonObject { ["url"] = url, ["priority"] = 1 }) };
    }

    private async ValueTask CertificateAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var identity = await identities.FindAsync(exchange.Request.PathValue("aid"), cancellationToken).ConfigureAwait(false);
        if (identity is null || (exchange.Request.QueryValue("cert_fingerprint") is { Length: > 0 } asked && !Is(identity, asked)))
            throw new BridgeException(ErrorCodes.NotFound, "there is no such certificate here");
        await exchange.AnswerAsync(Text(identity.Certificate), cancellationToken).ConfigureAwait(false);
    }

    private static bool Is(IdentityRecord identity, string fingerprint)
    {
        if (P256.Fingerprint(Convert.FromBase64String(identity.PublicKey)) == fingerprint) return true;
        using var certificate = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(identity.Certificate);
        return P256.Fingerprint(certificate.RawData) == fingerprint;
    }

    private static HttpAnswer Text(string pem) => new() { ContentType = Pem, Content = Encoding.ASCII.GetBytes(pem) };

    private static HttpEndpoint Make(string path, Func<HttpExchange, CancellationToken, ValueTask> handler) => new()
    {
        Verbs = ["GET"],
        Path = path,
        Access = EndpointAccess.Anonymous,
        Place = EndpointPlace.Both,
        Operation = "aun.http",
        Rate = Lookups,
        AnyOrigin = true,
        MaxBodyBytes = 1024,
        Handler = handler,
    };

    private static ValueTask AnswerAsync(HttpExchange exchange, JsonObject answer, CancellationToken cancellationToken) =>
        exchange.AnswerAsync(HttpAnswer.Json(Encoding.UTF8.GetBytes(answer.ToJsonString())), cancellationToken);
}
