using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.MultiClaws.Sessions;
using ChannelBridge.Channels.MultiClaws.Teams;
using ChannelBridge.Channels.MultiClaws.Tools;

namespace ChannelBridge.Channels.MultiClaws;

/// <summary>The sessions as a part of the host. It has no accounts and no conversations of its own: other agents' messages come in by A2A.</summary>
internal sealed class MultiClawsChannel(SessionDesk desk, SessionCalls calls, TeamLife? teams = null) : IChannel, IToolSource, IDiagnosticsSource
{
    public const string ChannelId = "multiclaws";

    public string Id => ChannelId;

    public bool CanSend => false;

    public string Section => ChannelId;

    public IEnumerable<RpcMethod> Methods { get; } = [.. calls.Methods];

    public IEnumerable<AgentTool> Tools { get; } = [.. calls.Tools];

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        if (teams is not null) await teams.StartAsync(cancellationToken).ConfigureAwait(false);
        desk.Start();
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await desk.StopAsync(cancellationToken).ConfigureAwait(false);
        if (teams is not null) await teams.StopAsync().ConfigureAwait(false);
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        throw BridgeException.Invalid("to say something to an agent of another host, start a session: session.start");

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var sessions = new JsonObject();
        foreach (var (status, count) in desk.Counts) sessions[status] = count;
        return ValueTask.FromResult(new JsonObject { ["sessions"] = sessions });
    }
}
