using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Applications for the issue of an asset.</summary>
public sealed class AssetIssuanceList(CommunityBook book)
    : CommunityAction("asset/issuance/list", "status?:string", "initiator_type?:string", "symbol?:string", "limit?:integer", "offset?:integer")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        var (status, initiator, symbol) = (call.Parameters.OptionalText("status"), call.Parameters.OptionalText("initiator_type"), call.Parameters.OptionalText("symbol"));
        var found = await book.ListAsync("issuances", null, cancellationToken);
        return call.Parameters.Part(found.Where(one => Fits(one, "status", status) && Fits(one, "initiator_type", initiator) && Fits(one, "asset_symbol", symbol)));

        static bool Fits(JsonObject one, string name, string? wanted) => wanted is null || string.Equals((string?)one[name], wanted, StringComparison.OrdinalIgnoreCase);
    }
}
