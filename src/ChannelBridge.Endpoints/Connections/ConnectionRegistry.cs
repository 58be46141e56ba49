using System.Collections.Concurrent;
using System.Net;
using ChannelBridge.Endpoints.Limits;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>The open connections, and who may open another one.</summary>
internal sealed class ConnectionRegistry(EndpointLimits limits)
{
    private readonly ConcurrentDictionary<string, ClientConnection> _connections = new(StringComparer.Ordinal);
    private readonly Dictionary<IPAddress, int> _addresses = [];
    private readonly Lock _gate = new();
    private int _admitted;
    private int _unauthenticated;
    private bool _stopped;

    /// <summary>The open connections now.</summary>
    public ICollection<ClientConnection> All => _connections.Values;

    /// <summary>Admitted connections.</summary>
    public int Count => Volatile.Read(ref _admitted);

    /// <summary>Those of them that haven't authenticated yet.</summary>
    public int Unauthenticated => Volatile.Read(ref _unauthenticated);

    /// <summary>True when no connection is admitted any more.</summary>
    public bool IsStopped => Volatile.Read(ref _stopped);

    /// <summary>Admits no further connection.</summary>
    public void Stop() => Volatile.Write(ref _stopped, true);

    /// <summary>Asks for a place.</summary>
    /// <param name="address">The remote address; null for local doors, which no limit per address holds for.</param>
    /// <param name="exempt">True when limits per address leave this address alone.</param>
    /// <param name="authenticated">True when the door itself vouches for the caller.</param>
    /// <param name="refusal">Why there is no place.</param>
    public Place? TryEnter(IPAddress? address, bool exempt, bool authenticated, out string refusal)
    {
        refusal = "";
        var group = address is null || exempt ? null : RateLimits.Group(address);
        lock (_gate)
        {
            if (_stopped)
                refusal = "the host is stopping";
            else if (_admitted >= limits.MaxConnections)
                refusal = "too many connections";
            else if (!authenticated && _unauthenticated >= limits.MaxUnauthenticatedConnections)
                refusal = "too many connections that haven't authenticated";
            else if (group is not null && _addresses.GetValueOrDefault(group) >= limits.MaxConnectionsPerAddress)
                refusal = "too many connections of this address";
            if (refusal.Length > 0) return null;

            _admitted++;
            if (!authenticated) _unauthenticated++;
            if (group is not null) _addresses[group] = _addresses.GetValueOrDefault(group) + 1;
        }

        return new Place(this, group, authenticated);
    }

    /// <summary>A connection is open.</summary>
    public void Add(ClientConnection connection) => _connections[connection.Id] = connection;

    /// <summary>A connection has ended.</summary>
    public void Remove(ClientConnection connection) => _connections.TryRemove(connection.Id, out _);

    /// <summary>The place of one connection; left when it is disposed.</summary>
    public sealed class Place(ConnectionRegistry registry, IPAddress? group, bool authenticated) : IDisposable
    {
        private bool _authenticated = authenticated;
        private bool _left;

        /// <summary>The connection has authenticated.</summary>
        public void Authenticated()
        {
            lock (registry._gate)
            {
                if (_authenticated || _left) return;
                _authenticated = true;
                registry._unauthenticated--;
            }
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (registry._gate)
            {
                if (_left) return;
                _left = true;
                registry._admitted--;
                if (!_authenticated) registry._unauthenticated--;
                if (group is null) return;
                var rest = registry._addresses[group] - 1;
                if (rest > 0) registry._addresses[group] = rest;
                else registry._addresses.Remove(group);
            }
        }
    }
}
