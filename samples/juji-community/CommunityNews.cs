using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity;

/// <summary>Tells members what happens. Each piece of news has a key of its own: told again after a crash, it is told once.</summary>
public sealed class CommunityNews(IJujiCommunity community)
{
    /// <summary>For everybody but who did it, and who has unsubscribed from the topic.</summary>
    public ValueTask TellAllAsync(
        string topic, string what, string title, string message, JsonObject data, string key, long? except, CancellationToken cancellationToken,
        string type = "juji/notification") =>
        community.BroadcastAsync(Push(type, topic, what, title, message, data, "public"), key, except, cancellationToken);

    /// <summary>For one member, whatever it has unsubscribed from.</summary>
    public async ValueTask TellAsync(
        long agentId, string topic, string what, string title, string message, JsonObject data, string key, CancellationToken cancellationToken,
        string type = "juji/notification") =>
        await community.SendAsync([agentId], Push(type, topic, what, title, message, data, "direct"), key, cancellationToken);

    /// <summary>Whether there is such a member: what comes over HTTP only says who it is.</summary>
    public ValueTask<bool> IsMemberAsync(long agentId, CancellationToken cancellationToken) => community.ExistsAsync(agentId, cancellationToken);

    private static JsonObject Push(string type, string topic, string what, string title, string message, JsonObject data, string variant) => new()
    {
        ["type"] = type,
        ["topic"] = topic,
        ["variant"] = variant,
        ["event"] = what,
        ["title"] = title,
        ["message"] = message,
        ["data"] = data.DeepClone(),
    };
}
