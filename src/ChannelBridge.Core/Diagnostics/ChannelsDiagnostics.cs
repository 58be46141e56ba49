using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>The section <c>channels</c>: each channel with its accounts and their three kinds of health, apart.</summary>
/// <param name="channels">The channels of this host.</param>
/// <param name="time">The clock.</param>
public sealed class ChannelsDiagnostics(IEnumerable<IChannel> channels, TimeProvider time) : IDiagnosticsSource
{
    /// <inheritdoc/>
    public string Section => "channels";

    /// <inheritdoc/>
    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var section = new JsonObject();
        foreach (var channel in channels)
        {
            var accounts = new JsonArray();
            foreach (var account in channel.GetAccounts()) accounts.Add((JsonNode)Describe(account, now));
            section[channel.Id] = new JsonObject { ["accounts"] = accounts };
        }

        return ValueTask.FromResult(section);
    }

    private static JsonObject Describe(ChannelAccountStatus account, long now) => new()
    {
        ["accountId"] = account.AccountId,
        ["transport"] = new JsonObject
        {
            ["connected"] = account.Connected,
            ["activeConnections"] = account.ActiveConnections,
            ["lastActivityAt"] = account.LastActivityAt,
            ["lastActivityAgoMs"] = now - account.LastActivityAt,
        },
        ["inbound"] = new JsonObject { ["lastAt"] = account.LastInboundAt, ["lastAgoMs"] = now - account.LastInboundAt },
        ["backlog"] = new JsonObject
        {
            ["pending"] = account.Pending,
            ["deadLetter"] = account.DeadLetter,
            ["lastOutboundAt"] = account.LastOutboundAt,
            ["lastOutboundAgoMs"] = now - account.LastOutboundAt,
        },
    };
}
