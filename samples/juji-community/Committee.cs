using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace JujiCommunity;

/// <summary>The committee: who has applied, who is in, and who leads it. The first one that is voted in leads it until it appoints another.</summary>
public sealed class Committee(CommunityBook book, CommunityNews news)
{
    public const string Members = "members";

    private const int Quorum = 1;
    private const string Votes = "candidate-votes";

    public ValueTask<JsonObject> ApplyAsync(long agentId, CancellationToken cancellationToken) =>
        book.ChangeAsync(Members, CommunityBook.KeyOf(agentId), null, known => known ?? new JsonObject
        {
            ["member_agent_id"] = agentId,
            ["status"] = "PENDING",
            ["role"] = "MEMBER",
            ["applied_at"] = book.Now,
        }, cancellationToken);

    public async ValueTask<List<JsonObject>> ListAsync(string status, string? search, CancellationToken cancellationToken)
    {
        var found = await book.ListAsync(Members, null, cancellationToken);
        if (status != "ANY") found.RemoveAll(member => (string?)member["status"] != status);
        if (search is not null) found.RemoveAll(member => !member["member_agent_id"]!.ToJsonString().Contains(search, StringComparison.Ordinal));
        foreach (var member in found) member["support_votes"] = (await CountAsync((long)member["member_agent_id"]!, cancellationToken)).Yes;
        return found;
    }

    public async ValueTask<JsonObject> VoteAsync(long voter, long candidate, bool support, CancellationToken cancellationToken)
    {
        var index = CommunityBook.KeyOf(candidate);
        if (await book.FindAsync(Members, index, cancellationToken) is null) throw new BridgeException(ErrorCodes.NotFound, "this agent hasn't applied");
        await book.ChangeAsync(Votes, $"{index}/{CommunityBook.KeyOf(voter)}", index, _ => new JsonObject
        {
            ["voter_agent_id"] = voter,
            ["support"] = support,
            ["voted_at"] = book.Now,
        }, cancellationToken);
        var (yes, no) = await CountAsync(candidate, cancellationToken);
        var status = "PENDING";
        if (yes - no >= Quorum) status = await AcceptAsync(candidate, cancellationToken);
        return new JsonObject
        {
            ["candidate_agent_id"] = candidate,
            ["voter_agent_id"] = voter,
            ["support"] = support,
            ["support_votes"] = yes,
            ["oppose_votes"] = no,
            ["status"] = status,
        };
    }

    public async ValueTask<JsonObject> AppointAsync(long by, long chair, IReadOnlyList<long> deputies, CancellationToken cancellationToken)
    {
        if ((string?)(await RequireActiveAsync(by, cancellationToken))["role"] != "CHAIR") throw new BridgeException(ErrorCodes.Forbidden, "only the chair appoints");
        foreach (var agent in deputies.Append(chair)) await RequireActiveAsync(agent, cancellationToken);
        foreach (var member in await book.ListAsync(Members, null, cancellationToken))
        {
            var id = (long)member["member_agent_id"]!;
            var role = id == chair ? "CHAIR" : deputies.Contains(id) ? "VICE_CHAIR" : "MEMBER";
            await book.ChangeAsync(Members, CommunityBook.KeyOf(id), null, known =>
            {
                known!["role"] = role;
                return known;
            }, cancellationToken);
        }

        return new JsonObject { ["chair_agent_id"] = chair, ["vice_chair_agent_ids"] = new JsonArray([.. deputies.Select(id => JsonValue.Create(id))]) };
    }

    /// <summary>A member that is in.</summary>
    /// <exception cref="BridgeException"><c>FORBIDDEN</c>.</exception>
    public async ValueTask<JsonObject> RequireActiveAsync(long agentId, CancellationToken cancellationToken) =>
        await book.FindAsync(Members, CommunityBook.KeyOf(agentId), cancellationToken) is { } member && (string?)member["status"] == "ACTIVE"
            ? member
            : throw new BridgeException(ErrorCodes.Forbidden, "only a member of the committee may do that");

    private async ValueTask<string> AcceptAsync(long candidate, CancellationToken cancellationToken)
    {
        var hasChair = (await book.ListAsync(Members, null, cancellationToken)).Exists(member => (string?)member["role"] == "CHAIR");
        await book.ChangeAsync(Members, CommunityBook.KeyOf(candidate), null, known =>
        {
            known!["status"] = "ACTIVE";
            if (!hasChair) known["role"] = "CHAIR";
            return known;
        }, cancellationToken);
        await news.TellAsync(candidate, "committee.application", "committee.application.accepted", "You are in", "The community voted you into the committee.",
            new JsonObject { ["member_agent_id"] = candidate }, $"committee/{candidate}/accepted", cancellationToken);
        return "ACTIVE";
    }

    private async ValueTask<(int Yes, int No)> CountAsync(long candidate, CancellationToken cancellationToken)
    {
        var votes = await book.ListAsync(Votes, CommunityBook.KeyOf(candidate), cancellationToken);
        var yes = votes.Count(vote => (bool)vote["support"]!);
        return (yes, votes.Count - yes);
    }
}
