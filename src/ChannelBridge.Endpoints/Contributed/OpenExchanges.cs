using System.Collections.Concurrent;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>What a channel's endpoints serve at the moment, as the doors look after it.</summary>
internal interface IOpenExchange
{
    /// <summary>True for a stream or a WebSocket, which goes on until somebody ends it.</summary>
    bool IsLong { get; }

    /// <summary>Completes when it has ended.</summary>
    Task Ended { get; }

    /// <summary>Called about once a second.</summary>
    void Sweep();

    /// <summary>The host stops: ends in order.</summary>
    void Stop();

    /// <summary>Ends at once.</summary>
    void Abort();
}

/// <summary>Everything that channels' endpoints serve at the moment.</summary>
internal sealed class OpenExchanges
{
    private readonly ConcurrentDictionary<IOpenExchange, byte> _open = new();

    /// <summary>What is open now.</summary>
    public ICollection<IOpenExchange> All => _open.Keys;

    /// <summary>How many are open.</summary>
    public int Count => _open.Count;

    /// <summary>One has begun.</summary>
    public void Add(IOpenExchange exchange) => _open.TryAdd(exchange, 0);

    /// <summary>One has ended.</summary>
    public void Remove(IOpenExchange exchange) => _open.TryRemove(exchange, out _);
}
