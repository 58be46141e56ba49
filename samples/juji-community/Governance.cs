using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace JujiCommunity;

/// <summary>Proposals, the votes on them, and the deliberations that follow.</summary>
public sealed class Governance(CommunityBook book, CommunityNews news)
{
    // A community of a few: one vote more for than against, and the committee deliberates.
    private const int Quorum = 1;

    public const string Proposals = "proposals";
    public const string Deliberations = "deliberations";

    private const string Topic = "governance.proposal";
    private const string Type = "governance/notification";

    public async ValueTask<JsonObject> ProposeAsync(
        long agentId, string title, string description, string type, long? issuanceId, string? callKey, CancellationToken cancellationToken)
    {
        var proposal = await book.CreateAsync(Proposals, callKey, id => new JsonObject
        {
            ["proposal_id"] = id,
            ["title"] = title,
            ["description"] = description,
            ["proposal_type"] = type,
            ["issuance_id"] = issuanceId,
            ["proposer_agent_id"] = agentId,
            ["status"] = "OPEN",
            ["created_at"] = book.Now,
        }, cancellationToken);
        var id = (long)proposal["proposal_id"]!;
        await news.TellAllAsync(Topic, "proposal.created", "New proposal", title, new JsonObject { ["proposal_id"] = id, ["title"] = title }, $"proposal/{id}/created", agentId,
            cancellationToken, Type);
        return proposal;
    }

    public async ValueTask<JsonObject> VoteAsync(long agentId, long proposalId, bool support, CancellationToken cancellationToken)
    {
        var proposal = await book.GetAsync(Proposals, proposalId, cancellationToken);
        if ((string?)proposal["status"] != "OPEN") throw new BridgeException(ErrorCodes.Conflict, "the proposal is closed");
        var key = CommunityBook.KeyOf(proposalId);
        await book.ChangeAsync("votes", $"{key}/{CommunityBook.KeyOf(agentId)}", key, _ => new JsonObject
        {
            ["voter_agent_id"] = agentId,
            ["support"] = support,
            ["voted_at"] = book.Now,
        }, cancellationToken);
        var (yes, no) = await CountAsync("votes", key, cancellationToken);
        if (yes - no >= Quorum) await DeliberateAsync(proposal, cancellationToken);
        var data = new JsonObject { ["proposal_id"] = proposalId, ["support_votes"] = yes, ["oppose_votes"] = no };
        await news.TellAllAsync("governance.proposal.vote_activity", "governance.proposal.vote_activity", "A vote", $"{yes} for, {no} against", data,
            $"proposal/{proposalId}/votes/{yes}/{no}", agentId, cancellationToken);
        if ((long)proposal["proposer_agent_id"]! is var proposer && proposer != agentId)
        {
            // Who voted how is for the proposer alone.
            var details = new JsonObject { ["proposal_id"] = proposalId, ["voter_agent_id"] = agentId, ["support"] = support };
            await news.TellAsync(proposer, Topic, "proposal.voted", "A vote on your proposal", $"agent {agentId} voted {(support ? "for" : "against")} it", details,
                $"proposal/{proposalId}/vote/{agentId}/{support}", cancellationToken, Type);
        }

        return new JsonObject { ["proposal_id"] = proposalId, ["voter_agent_id"] = agentId, ["support"] = support, ["support_votes"] = yes, ["oppose_votes"] = no };
    }

    public async ValueTask<JsonObject> CloseAsync(long proposalId, long by, CancellationToken cancellationToken)
    {
        var closed = await book.ChangeAsync(Proposals, CommunityBook.KeyOf(proposalId), null, known =>
        {
            if (known is null) throw new BridgeException(ErrorCodes.NotFound, "there is no such proposal");
            known["status"] = "CLOSED";
            known["closed_by_agent_id"] ??= by;
            return known;
        }, cancellationToken);
        await news.TellAllAsync(Topic, "proposal.closed", "A proposal is closed", (string)closed["title"]!, new JsonObject { ["proposal_id"] = proposalId },
            $"proposal/{proposalId}/closed", by, cancellationToken, Type);
        return closed;
    }

    public async ValueTask<List<JsonObject>> ListAsync(bool onlyOpen, bool withVotes, CancellationToken cancellationToken)
    {
        var found = await book.ListAsync(Proposals, null, cancellationToken);
        if (onlyOpen) found.RemoveAll(proposal => (string?)proposal["status"] != "OPEN");
        if (!withVotes) return found;
        foreach (var proposal in found)
        {
            var (yes, no) = await CountAsync("votes", CommunityBook.KeyOf((long)proposal["proposal_id"]!), cancellationToken);
            proposal["support_votes"] = yes;
            proposal["oppose_votes"] = no;
        }

        return found;
    }

    public async ValueTask<JsonObject> DeliberateAsync(long deliberationId, long agentId, string choice, string reason, int committee, CancellationToken cancellationToken)
    {
        var key = CommunityBook.KeyOf(deliberationId);
        var pending = await book.GetAsync(Deliberations, deliberationId, cancellationToken);
        if ((string?)pending["status"] != "PENDING") throw new BridgeException(ErrorCodes.Conflict, "the deliberation is over");
        await book.ChangeAsync("deliberation-votes", $"{key}/{CommunityBook.KeyOf(agentId)}", key, _ => new JsonObject
        {
            ["member_agent_id"] = agentId,
            ["vote_choice"] = choice,
            ["reason"] = reason,
            ["voted_at"] = book.Now,
        }, cancellationToken);
        var votes = await book.ListAsync("deliberation-votes", key, cancellationToken);
        var result = await book.ChangeAsync(Deliberations, key, null, known =>
        {
            known!["approve_votes"] = votes.Count(vote => (string?)vote["vote_choice"] == "APPROVE");
            known["reject_votes"] = votes.Count(vote => (string?)vote["vote_choice"] == "REJECT");
            known["abstain_votes"] = votes.Count(vote => (string?)vote["vote_choice"] == "ABSTAIN");
            if ((string?)known["status"] == "PENDING" && 2 * (int)known["approve_votes"]! > committee) known["status"] = "APPROVED";
            if ((string?)known["status"] == "PENDING" && 2 * (int)known["reject_votes"]! >= committee) known["status"] = "REJECTED";
            return known;
        }, cancellationToken);
        return new JsonObject { ["deliberation_id"] = deliberationId, ["member_agent_id"] = agentId, ["vote_choice"] = choice, ["status"] = (string?)result["status"] };
    }

    /// <summary>How many voted for and against.</summary>
    public async ValueTask<(int Yes, int No)> CountAsync(string kind, string index, CancellationToken cancellationToken)
    {
        var votes = await book.ListAsync(kind, index, cancellationToken);
        var yes = votes.Count(vote => (bool)vote["support"]!);
        return (yes, votes.Count - yes);
    }

    // One for each proposal, under its number.
    private ValueTask<JsonObject> DeliberateAsync(JsonObject proposal, CancellationToken cancellationToken)
    {
        var id = (long)proposal["proposal_id"]!;
        return book.ChangeAsync(Deliberations, CommunityBook.KeyOf(id), null, known => known ?? new JsonObject
        {
            ["deliberation_id"] = id,
            ["proposal_id"] = id,
            ["title"] = (string?)proposal["title"],
            ["status"] = "PENDING",
            ["created_at"] = book.Now,
        }, cancellationToken);
    }
}
