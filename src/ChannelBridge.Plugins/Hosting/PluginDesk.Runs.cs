using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Plugins.Hosting;

/// <content>Agents run for users who read a stream: the events come from the host's journal, so a plugin that dies reads on where it was.</content>
internal sealed partial class PluginDesk
{
    public async Task<PluginRun> StartRunAsync(PluginRunStart run, CancellationToken cancellationToken)
    {
        Given(run, "run");
        var (channel, account) = Own(run.Channel, run.AccountId);
        if (run.Id is not null) Bounded(run.Id, MaxKey, "run.id");
        if (run.Session is not null) Bounded(run.Session, MaxName, "run.session");
        ResponseRequest request;
        try
        {
            request = ResponseRequestReader.Read(run.Request);
        }
        catch (ResponseRequestException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"run.request{(fault.Param is { } at ? "." + at : "")}: {fault.Message}", fault);
        }

        var start = new ResponseStart
        {
            Request = request,
            Owner = Owner(channel.Id, account),
            Agent = AgentFor(channel.Id, run.Agent),
            ResponseId = run.Id,
            Session = run.Session,
            OutlivesHost = run.OutlivesHost,
        };
        return Tell(await Runs().StartAsync(start, cancellationToken).ConfigureAwait(false), after: -1);
    }

    public async Task<PluginRun> ReadRunAsync(string channel, string accountId, string id, long after, CancellationToken cancellationToken) =>
        Tell(await FindRunAsync(channel, accountId, id, cancellationToken).ConfigureAwait(false), after);

    public async Task CancelRunAsync(string channel, string accountId, string id, CancellationToken cancellationToken)
    {
        var run = await FindRunAsync(channel, accountId, id, cancellationToken).ConfigureAwait(false);
        await run.CancelAsync().ConfigureAwait(false);
    }

    private static string Owner(string channel, string account) => $"{channel}:{account.ToLowerInvariant()}";

    private async Task<IResponseRun> FindRunAsync(string channel, string accountId, string id, CancellationToken cancellationToken)
    {
        var (own, account) = Own(channel, accountId);
        Bounded(id, MaxKey, "id");
        return await Runs().FindAsync(id, Owner(own.Id, account), cancellationToken).ConfigureAwait(false)
            ?? throw new BridgeException(ErrorCodes.NotFound, "this account has no such run");
    }

    private PluginRun Tell(IResponseRun run, long after)
    {
        var writer = link.RequireLive().Streams.Open();
        _ = Task.Run(() => TellAsync(run, after, writer));
        return new PluginRun(run.Id, writer.Id);
    }

    private static async Task TellAsync(IResponseRun run, long after, PluginStreamWriter writer)
    {
        using (writer)
        {
            try
            {
                await foreach (var happened in run.ReadAsync(after, writer.Closed).ConfigureAwait(false))
                    await writer.WriteItemAsync(happened.Json, writer.Closed).ConfigureAwait(false);
                writer.Complete();
            }
            catch (BridgeException fault)
            {
                writer.Abandon(fault.Code);
            }
            catch (Exception over) when (over is OperationCanceledException or ObjectDisposedException)
            {
                // The plugin wants no more, or is gone; the run goes on.
            }
        }
    }

    private IResponseRuns Runs() => runs ?? throw BridgeException.Unavailable("this host runs no agents for streams");
}
