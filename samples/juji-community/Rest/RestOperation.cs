using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace JujiCommunity.Rest;

/// <summary>A request: its body, or for one without a body its query.</summary>
public sealed record RestCall(JsonElement Body)
{
    /// <summary>
    /// Whom it says that it is. As with the published skill, what comes over HTTP brings no proof: whoever reaches the address may say so. Let only those reach it whom
    /// you trust.
    /// </summary>
    public async ValueTask<long> MemberAsync(string name, CommunityNews news, CancellationToken cancellationToken)
    {
        var agent = Body.Id(name);
        return await news.IsMemberAsync(agent, cancellationToken) ? agent : throw new BridgeException(ErrorCodes.NotFound, $"{name}: there is no such agent");
    }
}

/// <summary>What the skill has no action for.</summary>
public abstract class RestOperation(string path, string summary)
{
    public string Path => path;

    public string Summary => summary;

    public abstract ValueTask<JsonNode> RunAsync(RestCall call, CancellationToken cancellationToken);
}
