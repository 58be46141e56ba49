using ChannelBridge.A2A.Client;
using ChannelBridge.Channels.MultiClaws.Agents;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>The clients of the agents that sessions are held with, one for each: its card, its connections and its breaker are in it.</summary>
internal sealed class AgentClients(IAgentBook agents, TimeProvider time) : IDisposable
{
    private const int Most = 256;
    private const int MaxAnswer = 8 * 1024 * 1024;

    // A published MultiClaws node begins to answer only when it has the whole answer: each session's own time-out is what counts.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(8);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Kept> _clients = new(StringComparer.Ordinal);

    /// <summary>Runs something with an agent's client.</summary>
    public async Task<T> WithAsync<T>(AgentEntry agent, Func<A2AClient, Task<T>> run)
    {
        var kept = Take(agent);
        try
        {
            return await run(kept.Client).ConfigureAwait(false);
        }
        finally
        {
            GiveBack(kept);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var kept in _clients.Values) kept.Client.Dispose();
            _clients.Clear();
        }
    }

    private Kept Take(AgentEntry agent)
    {
        lock (_lock)
        {
            if (!_clients.TryGetValue(agent.Url, out var kept))
            {
                if (_clients.Count >= Most && _clients.Where(static one => one.Value.Users == 0).Select(static one => one.Key).FirstOrDefault() is { } idle)
                {
                    _clients.Remove(idle, out var gone);
                    gone!.Client.Dispose();
                }

                _clients[agent.Url] = kept = new Kept(Make(agent));
            }

            kept.Users++;
            return kept;
        }
    }

    private void GiveBack(Kept kept)
    {
        lock (_lock) kept.Users--;
    }

    private A2AClient Make(AgentEntry agent)
    {
        return new A2AClient(new A2AClientOptions
        {
            Address = new Uri(agent.Url),
            // How it knows us may have changed since.
            Authorize = async (request, cancellationToken) =>
            {
                var now = await agents.FindAsync(agent.Url, cancellationToken).ConfigureAwait(false);
                if (now is not null) await agents.AuthorizeAsync(now, request, cancellationToken).ConfigureAwait(false);
            },
            MayConnect = address => agents.MayConnect(agent, address),
            // The session itself tries again, for longer than a call.
            Retries = 0,
            BreakerPause = TimeSpan.FromSeconds(3),
            FirstAnswerTimeout = Longest,
            TotalTimeout = Longest,
            MaxAnswerBytes = MaxAnswer,
            MaxStreamBytes = MaxAnswer,
            Time = time,
        });
    }

    private sealed class Kept(A2AClient client)
    {
        public A2AClient Client => client;

        public int Users { get; set; }
    }
}
