using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Diagnostics;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>The section <c>agents</c>: which agents there are and whether they take turns now.</summary>
/// <param name="agents">The agents of this host.</param>
internal sealed class AgentsDiagnostics(IEnumerable<IAgent> agents) : IDiagnosticsSource
{
    /// <inheritdoc/>
    public string Section => "agents";

    /// <inheritdoc/>
    public async ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var section = new JsonObject();
        foreach (var agent in agents)
        {
            // The wait is only looked at: an agent that isn't there now has a task that isn't complete.
            using var look = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var wait = agent.WaitUntilAvailableAsync(look.Token);
            var about = new JsonObject { ["available"] = wait.IsCompletedSuccessfully };
            foreach (var (key, value) in agent.Describe() ?? []) about[key] = value?.DeepClone();
            section[agent.Name] = about;
            await look.CancelAsync().ConfigureAwait(false);
            await wait.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return section;
    }
}
