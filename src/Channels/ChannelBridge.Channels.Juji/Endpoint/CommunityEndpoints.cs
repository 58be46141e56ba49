using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>Where members come in, below <c>/juji</c>.</summary>
internal sealed class CommunityEndpoints(
    AgentBook agents, SubscriptionBook subscriptions, Community community, ConnectionHub hub, ActionDesk actions, JujiEndpointOptions options, TimeProvider time,
    IEnumerable<JujiRestOperation> further, IAccessAttempts? attempts)
{
    private const string Base = "/juji";
    private const int MaxBody = 1024 * 1024;
    private const int MaxFrame = 4 * 1024 * 1024;
    private const int Refused = 4401;
    private const int TooMany = 1013;

    private static readonly EndpointRate Registrations = EndpointRate.PerMinute(600);

    // Every path of the REST part that is here itself: verb, path, what it is. The document of the interface and the capabilities are made of it.
    private static readonly (string Verb, string Path, string Summary)[] Paths =
    [
        ("POST", "/agent/register", "Registers an agent, or gives one that is known a new token."),
        ("GET", "/agent/agents", "Lists the agents."),
        ("GET", "/agent/agents/{agent_id}", "Shows an agent."),
        ("GET", "/message/capabilities", "What this community can do."),
        ("GET", "/message/actions", "The names of its actions."),
        ("GET", "/message/topics", "The topics of its broadcasts."),
        ("GET", "/message/channels", "The agents that are connected. Needs a token of the host."),
        ("POST", "/message/send", "Sends a push to agents. Needs a token of the host."),
        ("GET", "/skills", "Lists the skills."),
        ("GET", "/skills/{name}", "Shows a skill."),
        ("GET", "/skills/{name}/versions", "Lists a skill's versions."),
        ("GET", "/skills/{name}/download", "A skill's text (format=raw) or archive (format=zip)."),
        ("GET", "/openapi.json", "This document."),
    ];

    private readonly (string Verb, string Path, string Summary)[] _paths = [.. Paths, .. further.Select(static one => (one.Verb, one.Path, one.Summary))];
    private readonly EndpointAccess _trusted = options.OpenSend ? EndpointAccess.Anonymous : EndpointAccess.Scope(Scopes.Write);

    /// <summary>Called for each request that names where this host is.</summary>
    public IEnumerable<HttpEndpoint> Http =>
    [
        Make("POST", "/agent/register", RegisterAsync) with { Rate = Registrations, MaxBodyBytes = 64 * 1024, Body = BodyFormat.Json },
        Make("GET", "/agent/agents", async (exchange, stop) =>
            await AnswerAsync(exchange, BuiltInActions.ListOf(await agents.ListAsync(stop).ConfigureAwait(false)), stop).ConfigureAwait(false)),
        Make("GET", "/agent/agents/{agent_id}", AgentAsync),
        Make("GET", "/message/capabilities", (exchange, stop) => AnswerAsync(exchange, Capabilities(), stop)),
        Make("GET", "/message/actions", (exchange, stop) =>
            AnswerAsync(exchange, new JsonObject { ["actions"] = Texts(actions.Actions.Keys.Order(StringComparer.Ordinal)) }, stop)),
        Make("GET", "/message/topics", (exchange, stop) => AnswerAsync(exchange, new JsonObject { ["topics"] = Texts(subscriptions.Topics) }, stop)),
        Make("GET", "/message/channels", (exchange, stop) =>
            AnswerAsync(exchange, new JsonObject { ["channels"] = new JsonArray([.. hub.Connected.Select(static id => (JsonNode?)id)]) }, stop)) with { Access = _trusted },
        Make("POST", "/message/send", SendAsync) with { Access = _trusted, Body = BodyFormat.Json },
        Make("GET", "/skills", (exchange, stop) =>
            AnswerAsync(exchange, exchange.Request.QueryValue("name") is null or SkillPackage.Name ? new JsonArray(SkillPackage.Describe()) : new JsonArray(), stop)),
        Make("GET", "/skills/{name}", (exchange, stop) => AnswerAsync(Skill(exchange), SkillPackage.Describe(), stop)),
        Make("GET", "/skills/{name}/versions", (exchange, stop) => AnswerAsync(Skill(exchange), new JsonArray(SkillPackage.Version), stop)),
        Make("GET", "/skills/{name}/download", DownloadAsync),
        Make("GET", "/openapi.json", (exchange, stop) => AnswerAsync(exchange, OpenApi(), stop)),
    ];

    /// <summary>The members' WebSocket: everybody is let in as far as the upgrade, and refused behind it, for that is where members look.</summary>
    public IEnumerable<SocketEndpoint> Sockets =>
    [
        new() { Path = Base + "/ws", Access = EndpointAccess.Anonymous, Place = EndpointPlace.Both, MaxMessageBytes = MaxFrame, MaxMessageBytesBefore = 1024,
            Operation = "juji.ws", Handler = ServeAsync },
    ];

    /// <summary>What this community can do.</summary>
    public JsonObject Capabilities() => new()
    {
        ["api_revision"] = SkillPackage.Version,
        ["skill"] = new JsonObject
        {
            ["name"] = SkillPackage.Name,
            ["version"] = SkillPackage.Version,
            ["download"] = "/skills/juji/download?format=zip",
            ["raw"] = "/skills/juji/download?format=raw",
        },
        ["websocket"] = new JsonObject
        {
            ["path"] = "/ws",
            ["actions"] = new JsonArray([.. actions.Actions.Values.OrderBy(static action => action.Name, StringComparer.Ordinal).Select(static action =>
                (JsonNode?)new JsonObject { ["action"] = action.Name, ["params_schema"] = action.ParametersSchema.DeepClone() })]),
        },
        ["rest"] = new JsonArray([.. _paths.Select(static one => (JsonNode?)new JsonObject { ["method"] = one.Verb, ["path"] = one.Path, ["summary"] = one.Summary })]),
        ["topics"] = Texts(subscriptions.Topics),
        ["host_agent_id"] = community.OwnId > 0 ? community.OwnId : null,
    };

    private async Task ServeAsync(ISocketPeer peer, CancellationToken cancellationToken)
    {
        if (await EnterAsync(peer, cancellationToken).ConfigureAwait(false) is not { } connection) return;
        try
        {
            await connection.GreetAsync(cancellationToken).ConfigureAwait(false);
            var settling = SettleAsync(connection, cancellationToken);
            await connection.ServeAsync(cancellationToken).ConfigureAwait(false);
            await settling.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The member has left, or the host stops.
        }
        finally
        {
            hub.Remove(connection);
        }
    }

    /// <summary>Lets a member in, or closes its connection. Apart from what follows, so that nothing of it is kept for as long as the connection lasts.</summary>
    private async ValueTask<AgentConnection?> EnterAsync(ISocketPeer peer, CancellationToken cancellationToken)
    {
        var request = peer.Request;
        var named = request.QueryValue("agent_id");
        var agent = await agents.AuthenticateAsync(named, request.QueryValue("token"), request.QueryValue("ts"), request.QueryValue("sig"),
            cancellationToken).ConfigureAwait(false);
        if (agent is null)
        {
            var identity = AgentBook.ReadId(named) is { } claimed ? Community.SessionKeyOf(claimed) : null;
            var tooMany = attempts?.Check(request.RemoteAddress, identity);
            peer.AuthenticationFailed(identity);
            // After 4401 a member registers anew at once; after this it waits.
            if (tooMany is null) peer.Close(Refused, "authentication failed");
            else peer.Close(TooMany, "too many failed attempts");
            return null;
        }

        peer.Authenticate(new Caller(Community.SessionKeyOf(agent.Id), Scopes.None, Door.Channel));
        var connection = new AgentConnection(agent.Id, peer, actions, time);
        if (hub.TryAdd(connection)) return connection;
        peer.Close(TooMany, $"an agent may have {options.MaxConnectionsPerAgent} connections");
        return null;
    }

    private async Task SettleAsync(AgentConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, connection.Closed);
            await Task.Delay(options.SettleTime, time, end.Token).ConfigureAwait(false);
            hub.Ready(connection);
        }
        catch (OperationCanceledException)
        {
            // It was a short one.
        }
    }

    private async ValueTask RegisterAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var body = await exchange.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
        RegisterRequest? request;
        try
        {
            request = JsonSerializer.Deserialize(body.Span, EndpointJson.Default.RegisterRequest);
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "public_key, wallet_address, name and endpoint are texts", fault);
        }

        var (agent, token) = await agents.RegisterAsync(request ?? new RegisterRequest(), cancellationToken).ConfigureAwait(false);
        var answer = BuiltInActions.View(agent);
        answer["status"] = "online";
        answer["ws_token"] = token;
        await AnswerAsync(exchange, answer, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask AgentAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var agent = AgentBook.ReadId(exchange.Request.PathValue("agent_id")) is { } id ? await agents.FindAsync(id, cancellationToken).ConfigureAwait(false) : null;
        if (agent is null) throw new BridgeException(ErrorCodes.NotFound, "there is no such agent");
        await AnswerAsync(exchange, BuiltInActions.View(agent), cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask SendAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var body = await exchange.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
        var (receivers, payload) = BuiltInActions.ReadSend(JsonElement.Parse(body.Span));
        // Who sends the same message again names it, and it is told once.
        var key = payload["push_id"] is JsonValue value && value.TryGetValue<string>(out var id) && id.Length is > 0 and <= 128 ? id : Guid.NewGuid().ToString("N");
        payload["push_id"] = key;
        // Without a token anybody could speak for anybody.
        var sender = exchange.Caller is not null && payload["from_agent_id"] is JsonValue from && from.TryGetValue<long>(out var claimed)
            && await community.ExistsAsync(claimed, cancellationToken).ConfigureAwait(false)
            ? claimed
            : (long?)null;
        var found = await community.SendAsync(receivers, payload, "rest/" + key, sender, cancellationToken).ConfigureAwait(false);
        await AnswerAsync(exchange, BuiltInActions.Sent(receivers, found), cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask DownloadAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        Skill(exchange);
        var address = exchange.Request.Origin + Base;
        var answer = exchange.Request.QueryValue("format") switch
        {
            "zip" => new HttpAnswer
            {
                ContentType = "application/zip",
                Content = SkillPackage.Zip(address),
                Headers = [new("Content-Disposition", "attachment; filename=\"juji.zip\"")],
            },
            null or "raw" => new HttpAnswer { ContentType = "text/markdown; charset=utf-8", Content = Encoding.UTF8.GetBytes(SkillPackage.Raw(address)) },
            _ => throw BridgeException.Invalid("format is raw or zip"),
        };
        await exchange.AnswerAsync(answer, cancellationToken).ConfigureAwait(false);
    }

    private static HttpExchange Skill(HttpExchange exchange) =>
        exchange.Request.PathValue("name") == SkillPackage.Name ? exchange : throw new BridgeException(ErrorCodes.NotFound, "there is no such skill");

    private JsonObject OpenApi()
    {
        var paths = new JsonObject();
        foreach (var (verb, path, summary) in _paths)
        {
            if (paths[path] is not JsonObject operations) paths[path] = operations = [];
            var answers = new JsonObject { ["200"] = new JsonObject { ["description"] = "JSON, but for downloads" } };
            operations[verb.ToLowerInvariant()] = new JsonObject { ["summary"] = summary, ["responses"] = answers };
        }

        return new JsonObject { ["openapi"] = "3.1.0", ["info"] = new JsonObject { ["title"] = "Juji community", ["version"] = SkillPackage.Version }, ["paths"] = paths };
    }

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(static text => (JsonNode?)text)]);

    private static HttpEndpoint Make(string verb, string path, Func<HttpExchange, CancellationToken, ValueTask> handler) => new()
    {
        Verbs = [verb],
        Path = Base + path,
        Access = EndpointAccess.Anonymous,
        Place = EndpointPlace.Both,
        Operation = "juji" + path.Replace('/', '.').Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal),
        MaxBodyBytes = MaxBody,
        Handler = handler,
    };

    private static ValueTask AnswerAsync(HttpExchange exchange, JsonNode answer, CancellationToken cancellationToken) =>
        exchange.AnswerAsync(HttpAnswer.Json(Encoding.UTF8.GetBytes(answer.ToJsonString())), cancellationToken);
}
