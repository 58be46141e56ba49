using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace JujiCommunity.Rest;

/// <summary>Applies for the issue of an asset, which the community votes on.</summary>
public sealed class AssetIssuanceApply(CommunityBook book, CommunityNews news, Governance governance)
    : RestOperation("/asset/issuance/apply", "Applies for the issue of an asset, which the community votes on.")
{
    public override async ValueTask<JsonNode> RunAsync(RestCall call, CancellationToken cancellationToken)
    {
        var type = call.Body.Choice("initiator_type", "AGENT", "SYS", "AGENT");
        var initiator = await call.MemberAsync("initiator_agent_id", news, cancellationToken);
        // A supply has more digits than any number type: it is kept as it came.
        if (call.Body.Raw("total_supply") is not JsonValue supply || !supply.ToJsonString().All(char.IsAsciiDigit))
            throw BridgeException.Invalid("total_supply must be a whole number");
        var issuance = await book.CreateAsync("issuances", null, id => new JsonObject
        {
            ["issuance_id"] = id,
            ["initiator_type"] = type,
            ["initiator_agent_id"] = initiator,
            ["asset_name"] = call.Body.Text("asset_name"),
            ["asset_symbol"] = call.Body.Text("asset_symbol"),
            ["total_supply"] = supply.DeepClone(),
            ["decimals"] = call.Body.Raw("decimals") ?? 18,
            ["asset_wallet_address"] = call.Body.OptionalText("asset_wallet_address"),
            ["reason"] = call.Body.OptionalText("reason"),
            ["extra_meta"] = call.Body.Raw("extra_meta") ?? new JsonObject(),
            ["status"] = "PENDING",
            ["created_at"] = book.Now,
        }, cancellationToken);
        var number = (long)issuance["issuance_id"]!;
        var proposal = await governance.ProposeAsync(
            initiator, $"Issue {issuance["asset_symbol"]}", (string?)issuance["reason"] ?? "", "ASSET_ISSUE", number, $"issuance/{number}", cancellationToken);
        issuance["proposal_id"] = (long)proposal["proposal_id"]!;
        return issuance;
    }
}
