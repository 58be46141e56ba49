using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Core.Hosting;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>The section <c>channels</c>: each channel with its accounts and their three kinds of health, apart.</summary>
/// <param name="registry">Where the channels come from.</param>
/// <param name="time">The clock.</param>
/// <param name="starts">How their start went.</param>
internal sealed class ChannelsDiagnostics(IRegistry registry, TimeProvider time, ChannelStarts? starts = null) : IDiagnosticsSource
{
    /// <inheritdoc/>
    public string Section => "channels";

    /// <inheritdoc/>
    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var section = new JsonObject();
        foreach (var channel in registry.Current.Of<IChannel>())
        {
            var accounts = new JsonArray();
            foreach (var account in channel.GetAccounts()) accounts.Add((JsonNode)Describe(account, now));
            var about = new JsonObject { ["state"] = starts?.FailureOf(channel) is null ? "running" : "failed" };
            if (starts?.FailureOf(channel) is { } failure) about["failure"] = failure;
            about["accounts"] = accounts;
            section[channel.Id] = about;
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
