using System.Globalization;
using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;

namespace ChannelBridge.Channels.A2A.Http;

/// <summary>Where peers call: the card for everybody, and one address for both versions over both transports for who holds a token with the scope <c>peer</c>.</summary>
internal sealed class A2AEndpoints(A2AOptions options, IA2AService service, CardMaker cards)
{
    private const string Operation = "a2a";
    private const int MaxBody = 1024 * 1024;

    // Of the events that wait for a stream's reader so many are written at once, or as many as have so many bytes.
    private const int MostAtOnce = 64;
    private const int MostBytesAtOnce = 64 * 1024;

    private static readonly KeyValuePair<string, string>[] CardHeaders =
    [
        new("Cache-Control", "public, max-age=60"), new("Vary", Versions.Header), new("Access-Control-Allow-Origin", "*"),
    ];

    private readonly JsonRpcDoor _rpc = new(service);
    private readonly RestDoor _rest = new(service);

    /// <summary>The endpoints.</summary>
    public IEnumerable<HttpEndpoint> Http =>
    [
        Card("/.well-known/agent-card.json"), Card("/.well-known/agent.json"),
        Peer(["POST"], "/a2a", RpcAsync), Peer(["POST"], "/a2a/v1", RpcAsync),
        Peer(["GET", "POST", "DELETE"], "/a2a/{*rest}", RestAsync),
    ];

    private HttpEndpoint Card(string path) => new()
    {
        Verbs = ["GET"],
        Path = path,
        Access = EndpointAccess.Anonymous,
        Place = EndpointPlace.Both,
        Operation = "a2a.card",
        Rate = EndpointRate.PerMinute(600),
        MaxBodyBytes = 0,
        AnyOrigin = true,
        Handler = CardAsync,
    };

    private static HttpEndpoint Peer(string[] verbs, string path, Func<HttpExchange, CancellationToken, ValueTask> handler) => new()
    {
        Verbs = verbs,
        Path = path,
        Access = EndpointAccess.Scope(Scopes.Peer),
        Place = EndpointPlace.Both,
        Operation = Operation,
        MaxBodyBytes = MaxBody,
        Handler = handler,
    };

    private ValueTask CardAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var version = VersionOf(exchange) is { Length: > 0 } said && Versions.Normalise(said) == Versions.V10 ? Versions.V10 : Versions.V03;
        var (json, tag) = cards.Write(AddressOf(exchange.Request), version);
        return exchange.AnswerAsync(HttpAnswer.Json(json) with { ETag = tag, Headers = CardHeaders }, cancellationToken);
    }

    private async ValueTask RpcAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        cards.Address = AddressOf(exchange.Request);
        var body = await exchange.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
        var answer = await _rpc.HandleAsync(
            exchange.Caller!.Name, VersionOf(exchange), exchange.Request.Header("Content-Type"), body, cancellationToken).ConfigureAwait(false);
        await WriteAsync(exchange, answer, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask RestAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        cards.Address = AddressOf(exchange.Request);
        var request = new RestRequest
        {
            Client = exchange.Caller!.Name,
            Verb = exchange.Request.Verb,
            Path = exchange.Request.PathValue("rest"),
            Query = exchange.Request.QueryValue,
            Version = VersionOf(exchange),
            ContentType = exchange.Request.Header("Content-Type"),
            Body = await exchange.ReadBodyAsync(cancellationToken).ConfigureAwait(false),
        };
        await WriteAsync(exchange, await _rest.HandleAsync(request, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask WriteAsync(HttpExchange exchange, DoorAnswer answer, CancellationToken cancellationToken)
    {
        if (answer.Events is not { } events)
        {
            IReadOnlyList<KeyValuePair<string, string>> headers = answer.RetryAfter is { } wait
                ? [new("Retry-After", Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture))]
                : [];
            await exchange.AnswerAsync(
                new HttpAnswer { Status = answer.Status, ContentType = answer.ContentType, Content = answer.Body, Headers = headers }, cancellationToken).ConfigureAwait(false);
            return;
        }

        await using (events.ConfigureAwait(false))
        {
            var writer = await exchange.BeginEventsAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            var batch = Array.Empty<ServerEvent>();
            while (await events.NextAsync(cancellationToken).ConfigureAwait(false) is { } item)
            {
                // A reader that has left, or reads nothing: the task goes on without it.
                var first = new ServerEvent(answer.Frame(item));
                if (!events.TryNext(out var second))
                {
                    if (!await writer.WriteAsync(first, cancellationToken).ConfigureAwait(false)) return;
                    continue;
                }

                if (batch.Length == 0) batch = new ServerEvent[MostAtOnce];
                (batch[0], batch[1]) = (first, new ServerEvent(answer.Frame(second)));
                var (count, bytes) = (2, first.Data.Length + batch[1].Data.Length);
                while (count < batch.Length && bytes < MostBytesAtOnce && events.TryNext(out var further))
                {
                    batch[count] = new ServerEvent(answer.Frame(further));
                    bytes += batch[count++].Data.Length;
                }

                if (!await writer.WriteAllAsync(batch.AsMemory(0, count), cancellationToken).ConfigureAwait(false)) return;
                // What was written is others' to hold.
                batch.AsSpan(0, count).Clear();
            }
        }
    }

    private static string? VersionOf(HttpExchange exchange) => exchange.Request.Header(Versions.Header) ?? exchange.Request.QueryValue(Versions.Header);

    /// <summary>Where this host is for who asks: as the operator says, else the address that the connection came in by. What a client writes as host decides nothing.</summary>
    private string AddressOf(EndpointRequest request)
    {
        if (options.SelfUrl is { Length: > 0 } self) return self;
        var scheme = request.Origin.StartsWith("https:", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
        if (request.LocalAddress is not { } local) return $"{scheme}://127.0.0.1";
        var address = local.Address.IsIPv4MappedToIPv6 ? local.Address.MapToIPv4() : local.Address;
        var host = address.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
        return $"{scheme}://{host}:{local.Port}";
    }
}
