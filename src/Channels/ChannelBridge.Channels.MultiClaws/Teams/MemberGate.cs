using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Endpoints;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// Lets members in where a peer's token else would: at the A2A endpoints, each as a peer of its own. What they show is a signature, so that no key and no secret
/// travels, and a local network may be plain HTTP.
/// </summary>
internal sealed class MemberGate(TeamBook book, NonceBook nonces, MultiClawsOptions options, TimeProvider time) : IRequestAuthenticator, IPeerAgents
{
    /// <summary>The channel that members may call.</summary>
    public const string Channel = "a2a";

    private const string Refusal = "This host doesn't know you: requests of its teams' members are signed with the key by which the team knows them.";

    /// <inheritdoc/>
    public string Scheme => RequestProof.Scheme;

    /// <inheritdoc/>
    public async ValueTask<AccessVerdict> AuthenticateAsync(string credentials, string channel, EndpointRequest request, CancellationToken cancellationToken)
    {
        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        if (RequestProof.Parse(credentials) is not { } proof) return AccessVerdict.Refuse(Refusal);
        var teams = book.TeamsOf(proof.Key.Id);
        if (teams.Count == 0 || !teams.Any(team => team.Stored.SelfUrl == proof.To)) return AccessVerdict.Refuse(Refusal, proof.Key.Id);
        if (!proof.IsFresh(time.GetUtcNow()) || !proof.IsOf(request.Verb, request.Path, request.QueryText)) return AccessVerdict.Refuse(Refusal, proof.Key.Id);
        if (!await nonces.TryTakeAsync(proof, cancellationToken).ConfigureAwait(false)) return AccessVerdict.Refuse(Refusal, proof.Key.Id);
        return AccessVerdict.Allow(CallerOf(proof.Key.Id)) with { BodyHash = proof.BodyHash };
    }

    /// <inheritdoc/>
    public string? AgentFor(string peer) => options.Agent is { } agent && book.TeamsOf(peer).Count > 0 ? agent : null;

    /// <summary>A member as a caller.</summary>
    public Caller CallerOf(string memberId) =>
        new(memberId, Scopes.Peer, Door.Listener) { Channels = new HashSet<string> { Channel }, Revoked = book.RightsOf(memberId) };
}
