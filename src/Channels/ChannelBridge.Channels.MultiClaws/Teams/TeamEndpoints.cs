using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// Where members of a team call each other: <c>/team/{id}/…</c> at the root. Members sign; whoever wants to join proves that it has the team's secret; in an open team
/// nobody needs to. Whoever knows a team's id and nothing else learns nothing and changes nothing.
/// </summary>
internal sealed class TeamEndpoints(TeamBook book, TeamSpread spread, NonceBook nonces, TimeProvider time) : IEndpointSource
{
    /// <summary>The channel whose endpoints these are.</summary>
    public const string ChannelId = "multiclaws";

    private const string Stranger = "stranger";
    private const string Open = "open";
    private const string Joiner = "joiner";
    private const string Operation = "multiclaws.team";
    private const string Refusal = "This team doesn't know you: its members sign their requests, and whoever joins shows that it has the team's secret.";

    // A bio in JSON may be six times its size, and several come at once.
    private const int MaxBody = 512 * 1024;

    /// <summary>As often as the first nodes allowed: 60 a minute, and all of them may come at once.</summary>
    private static readonly EndpointRate s_rate = new(1, 60);

    /// <inheritdoc/>
    public string Channel => ChannelId;

    /// <inheritdoc/>
    public IEnumerable<SocketEndpoint> Sockets => [];

    /// <inheritdoc/>
    public IEnumerable<HttpEndpoint> Http =>
    [
        new HttpEndpoint
        {
            Verbs = ["GET"],
            Path = "/multiclaws/health",
            Access = EndpointAccess.Anonymous,
            Place = EndpointPlace.Both,
            Operation = "multiclaws.health",
            Rate = EndpointRate.PerMinute(600),
            MaxBodyBytes = 0,
            Handler = HealthAsync,
        },
        Make("GET", "members", MembersAsync, 0),
        Make("POST", "announce", (exchange, cancellationToken) => TakeAsync(exchange, left: false, cancellationToken)),
        Make("POST", "leave", (exchange, cancellationToken) => TakeAsync(exchange, left: true, cancellationToken)),
        Make("POST", "profile-update", (exchange, cancellationToken) => TakeAsync(exchange, left: false, cancellationToken)),
        Make("POST", "rotate", RotateAsync),
    ];

    private HttpEndpoint Make(string verb, string what, Func<HttpExchange, CancellationToken, ValueTask> handler, int maxBody = MaxBody) => new()
    {
        Verbs = [verb],
        Path = "/team/{id}/" + what,
        Access = EndpointAccess.ByChannel(CheckAsync),
        Place = EndpointPlace.Both,
        Operation = Operation,
        Rate = s_rate,
        MaxBodyBytes = maxBody,
        Handler = handler,
    };

    private async ValueTask<AccessVerdict> CheckAsync(EndpointRequest request, CancellationToken cancellationToken)
    {
        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        if (book.Find(request.PathValue("id")) is not { } team) return AccessVerdict.Allow(Nobody(Stranger, request));
        if (ProofOf(request) is not { } proof) return team.Stored.Open ? AccessVerdict.Allow(Nobody(Open, request)) : AccessVerdict.Refuse(Refusal);
        var id = proof.Key.Id;
        if (proof.To != team.Stored.SelfUrl || !proof.IsFresh(time.GetUtcNow()) || !proof.IsOf(request.Verb, request.Path, request.QueryText))
            return AccessVerdict.Refuse(Refusal, id);
        var isMember = team.Table.Find(id) is { Left: false };
        if (!isMember && !team.Stored.Open && !(team.Secret is { } secret && proof.IsAdmitted(secret, request.Verb, request.Path, request.QueryText)))
            return AccessVerdict.Refuse(Refusal, id);
        if (!await nonces.TryTakeAsync(proof, cancellationToken).ConfigureAwait(false)) return AccessVerdict.Refuse(Refusal, id);
        if (isMember) spread.Heard(id);
        // A member is counted by its key, wherever it comes from. Keys cost nothing: whoever isn't a member yet is counted by address, all of its keys together.
        var caller = isMember ? new Caller(id, Scopes.Peer, Door.Listener) { Channels = new HashSet<string> { ChannelId } } : Nobody(Joiner, request);
        return AccessVerdict.Allow(caller) with { BodyHash = proof.BodyHash };
    }

    private static async ValueTask HealthAsync(HttpExchange exchange, CancellationToken cancellationToken) =>
        await exchange.AnswerAsync(HttpAnswer.Json("{\"ok\":true,\"plugin\":\"multiclaws\"}"u8.ToArray()) with { Headers = [new("Cache-Control", "no-store")] }, cancellationToken)
            .ConfigureAwait(false);

    private async ValueTask MembersAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        if (TeamOf(exchange) is not { } team)
        {
            await NotFoundAsync(exchange, cancellationToken).ConfigureAwait(false);
            return;
        }

        var proof = ProofOf(exchange.Request);
        var isMember = proof is not null && exchange.Caller!.Name == proof.Key.Id;
        // Who has left is nobody's business but the members', who must not take them back.
        var answer = new MembersAnswer
        {
            Team = new MembersOfTeam
            {
                TeamName = team.Stored.TeamName,
                Members = isMember ? team.Table.All : team.Table.Members,
                SecretAtMs = team.Stored.SecretAtMs,
                SecretBy = team.Stored.SecretBy,
                Kept = team.Stored.Kept is { Count: > 0 } kept ? kept : null,
            },
            Secret = isMember ? await spread.SecretForAsync(team, proof!.Key, cancellationToken).ConfigureAwait(false) : null,
        };
        var json = JsonSerializer.SerializeToUtf8Bytes(answer, TeamJson.Default.MembersAnswer);
        IReadOnlyList<KeyValuePair<string, string>> headers = [new("Cache-Control", "no-store")];
        if (proof is not null && team.Secret is { } secret) headers = [.. headers, new(TeamClient.AnswerHeader, RequestProof.Answer(secret, proof.Nonce, json))];
        await exchange.AnswerAsync(HttpAnswer.Json(json) with { Headers = headers }, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask TakeAsync(HttpExchange exchange, bool left, CancellationToken cancellationToken)
    {
        if (TeamOf(exchange) is not { } team)
        {
            await NotFoundAsync(exchange, cancellationToken).ConfigureAwait(false);
            return;
        }

        var body = await exchange.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
        IReadOnlyList<TeamMember> members;
        try
        {
            members = TeamWords.Read(team, body.Span, left, time.GetUtcNow());
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.InvalidRequest)
        {
            await FaultAsync(exchange, 400, fault.Message, cancellationToken).ConfigureAwait(false);
            return;
        }

        var caller = exchange.Caller!.Name;
        if (members.FirstOrDefault(member => !MaySay(caller, ProofOf(exchange.Request), member)) is { } other)
        {
            await FaultAsync(exchange, 401, $"{other.Url}: only a member may speak for others", cancellationToken).ConfigureAwait(false);
            return;
        }

        var isJoin = caller.StartsWith(Joiner, StringComparison.Ordinal);
        var results = await spread.TakeAsync(team, members, caller, cancellationToken, isJoin).ConfigureAwait(false);
        var refused = results.Count == 1 ? results[0] : Merged.Known;
        // What a member passes on, and can't know better yet, is left alone: it is told of the secret that holds.
        if (refused is Merged.Taken or Merged.Full || (refused is Merged.NotAdmitted && isJoin))
        {
            var why = refused switch
            {
                Merged.Taken => "another key has this address",
                Merged.Full => $"the team has {MemberTable.MostMembers} members",
                _ => "admitted isn't the proof that it has the team's secret",
            };
            await FaultAsync(exchange, 400, $"{members[0].Url}: {why}", cancellationToken).ConfigureAwait(false);
            return;
        }

        await AnswerAsync(exchange, 200, new DoneAnswer(), TeamJson.Default.DoneAnswer, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask RotateAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        if (TeamOf(exchange) is not { } team)
        {
            await NotFoundAsync(exchange, cancellationToken).ConfigureAwait(false);
            return;
        }

        var body = await exchange.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
        var caller = exchange.Caller!.Name;
        if (team.Table.Find(caller) is not { Left: false })
        {
            await FaultAsync(exchange, 401, "only a member may change the team's secret", cancellationToken).ConfigureAwait(false);
            return;
        }

        SecretWord? word = null;
        try
        {
            word = JsonSerializer.Deserialize(body.Span, TeamJson.Default.SecretWord);
        }
        catch (JsonException)
        {
            // Said below.
        }

        if (word?.Box is null || word.By is null)
        {
            await FaultAsync(exchange, 400, "changedAtMs, by and box are needed", cancellationToken).ConfigureAwait(false);
            return;
        }

        if (await spread.TakeSecretAsync(team, word, cancellationToken).ConfigureAwait(false)) spread.OweSecret(team, caller);
        await AnswerAsync(exchange, 200, new DoneAnswer(), TeamJson.Default.DoneAnswer, cancellationToken).ConfigureAwait(false);
    }

    // A member passes on what others have signed; a joiner, and who has no key, speaks for itself.
    private static bool MaySay(string caller, RequestProof? proof, TeamMember member)
    {
        if (caller.StartsWith(Joiner, StringComparison.Ordinal)) return member.Key is not null && member.Id == proof?.Key.Id;
        return !caller.StartsWith(Open, StringComparison.Ordinal) || member.Key is null;
    }

    private Team? TeamOf(HttpExchange exchange) =>
        exchange.Caller is { } caller && !caller.Name.StartsWith(Stranger, StringComparison.Ordinal) ? book.Find(exchange.Request.PathValue("id")) : null;

    private static Caller Nobody(string what, EndpointRequest request) =>
        new($"{what} {request.RemoteAddress}", Scopes.None, Door.Listener) { Channels = new HashSet<string> { ChannelId } };

    private static RequestProof? ProofOf(EndpointRequest request)
    {
        var header = request.Header("Authorization");
        return header is not null && header.StartsWith(RequestProof.Scheme + " ", StringComparison.OrdinalIgnoreCase)
            ? RequestProof.Parse(header[(RequestProof.Scheme.Length + 1)..].Trim())
            : null;
    }

    private static ValueTask NotFoundAsync(HttpExchange exchange, CancellationToken cancellationToken) => FaultAsync(exchange, 404, "team not found", cancellationToken);

    private static ValueTask FaultAsync(HttpExchange exchange, int status, string error, CancellationToken cancellationToken) =>
        AnswerAsync(exchange, status, new FaultAnswer(error), TeamJson.Default.FaultAnswer, cancellationToken);

    private static ValueTask AnswerAsync<T>(HttpExchange exchange, int status, T answer, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        exchange.AnswerAsync(HttpAnswer.Json(JsonSerializer.SerializeToUtf8Bytes(answer, type), status), cancellationToken);
}
