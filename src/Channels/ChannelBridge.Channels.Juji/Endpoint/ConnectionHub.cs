using System.Globalization;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>The members' connections. A member's pushes go to the newest one that has lasted for a moment; the others wait in case it leaves.</summary>
internal sealed partial class ConnectionHub(IOutbox outbox, ActionDesk actions, JujiEndpointOptions options, TimeProvider time, ILogger<ConnectionHub> logger)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(20) - Look;
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Lines> _agents = [];

    /// <summary>Members that are connected, by id.</summary>
    public IReadOnlyList<long> Connected
    {
        get { lock (_lock) return [.. _agents.Keys.Order()]; }
    }

    /// <summary>How many connections there are.</summary>
    public int Count
    {
        get { lock (_lock) return _agents.Values.Sum(static lines => lines.All.Count); }
    }

    /// <summary>When a member was last heard (Unix ms), or null while it isn't connected.</summary>
    public long? HeardAt(long agentId)
    {
        lock (_lock) return _agents.TryGetValue(agentId, out var lines) ? lines.All.Max(static line => line.LastReceivedAt).ToUnixTimeMilliseconds() : null;
    }

    /// <summary>Takes a connection; false: its member has as many as it may.</summary>
    public bool TryAdd(AgentConnection connection)
    {
        lock (_lock)
        {
            if (!_agents.TryGetValue(connection.AgentId, out var lines)) _agents[connection.AgentId] = lines = new Lines();
            if (lines.All.Count >= options.MaxConnectionsPerAgent) return false;
            lines.All.Add(connection);
            return true;
        }
    }

    /// <summary>The connection has lasted: from now on it gets what is told.</summary>
    public void Ready(AgentConnection connection)
    {
        lock (_lock)
        {
            if (!_agents.TryGetValue(connection.AgentId, out var lines) || !lines.All.Contains(connection)) return;
            lines.Ready.Add(connection);
            outbox.Attach(JujiEndpointChannel.ChannelId, AccountOf(connection), connection);
        }
    }

    /// <summary>The connection has ended.</summary>
    public void Remove(AgentConnection connection)
    {
        lock (_lock)
        {
            if (!_agents.TryGetValue(connection.AgentId, out var lines)) return;
            lines.All.Remove(connection);
            if (lines.All.Count == 0) _agents.Remove(connection.AgentId);
            var wasCurrent = lines.Ready.Count > 0 && lines.Ready[^1] == connection;
            if (!lines.Ready.Remove(connection)) return;
            outbox.Detach(JujiEndpointChannel.ChannelId, AccountOf(connection), connection);
            if (wasCurrent && lines.Ready.Count > 0) outbox.Attach(JujiEndpointChannel.ChannelId, AccountOf(connection), lines.Ready[^1]);
        }
    }

    /// <summary>Closes all connections; their ends come on their own.</summary>
    public void CloseAll()
    {
        AgentConnection[] all;
        lock (_lock) all = [.. _agents.Values.SelectMany(static lines => lines.All)];
        foreach (var connection in all) connection.Peer.Close(1001, "the host stops");
    }

    /// <summary>Says pong where nothing was said for long, and forgets old answers, until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Look, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false))
            {
                AgentConnection[] silent;
                lock (_lock) silent = [.. _agents.Values.SelectMany(static lines => lines.All).Where(static line => line.Silence >= LongestSilence)];
                foreach (var connection in silent) _ = PongAsync(connection, stop);
                actions.Sweep();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
    }

    private async Task PongAsync(AgentConnection connection, CancellationToken stop)
    {
        try
        {
            await connection.PongAsync(stop).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogFailed(logger, fault, connection.AgentId);
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private static string AccountOf(AgentConnection connection) => connection.AgentId.ToString(CultureInfo.InvariantCulture);

    [LoggerMessage(LogEvents.ConnectionHubFailed, LogLevel.Debug, "Agent {AgentId} of the Juji community could not be told anything.")]
    private static partial void LogFailed(ILogger logger, Exception fault, long agentId);

    private sealed class Lines
    {
        public List<AgentConnection> All { get; } = [];

        public List<AgentConnection> Ready { get; } = [];
    }
}
