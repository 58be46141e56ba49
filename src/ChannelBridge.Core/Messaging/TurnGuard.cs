using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// Holds agents that answer each other for ever: so many turns a minute of one sender that is an agent, and no more. People aren't counted, however fast
/// they write.
/// </summary>
internal sealed class TurnGuard(int perMinute, TimeProvider time)
{
    // A pair that is forgotten begins anew, which costs a minute's turns at most.
    private const int MostPairs = 10_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Channel, string Account, string Peer), Pair> _pairs = [];
    private long _held;

    /// <summary>Turns that were held since the start.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <summary>Takes a place for the turn of a message; how long it must wait where there is none.</summary>
    /// <param name="message">The message.</param>
    /// <param name="again">True: the turn had its place, it is only tried again.</param>
    /// <param name="first">True: the pair wasn't held until now.</param>
    public TimeSpan Take(InboundMessage message, bool again, out bool first)
    {
        first = false;
        if (perMinute <= 0 || again || message.Rules is not { SenderIsAgent: true }) return TimeSpan.Zero;
        var key = (message.Channel, message.AccountId.ToLowerInvariant(), message.SenderId);
        var now = time.GetTimestamp();
        lock (_gate)
        {
            if (!_pairs.TryGetValue(key, out var pair))
            {
                if (_pairs.Count >= MostPairs) Forget();
                _pairs[key] = pair = new Pair();
            }

            while (pair.Turns.TryPeek(out var oldest) && time.GetElapsedTime(oldest, now) >= Window) pair.Turns.Dequeue();
            if (pair.Turns.Count < perMinute)
            {
                pair.Turns.Enqueue(now);
                pair.IsHeld = false;
                return TimeSpan.Zero;
            }

            first = !pair.IsHeld;
            pair.IsHeld = true;
            Interlocked.Increment(ref _held);
            return Window - time.GetElapsedTime(pair.Turns.Peek(), now);
        }
    }

    private void Forget()
    {
        var now = time.GetTimestamp();
        foreach (var (key, pair) in _pairs.ToArray())
        {
            if (pair.Turns.Count == 0 || time.GetElapsedTime(pair.Turns.Last(), now) >= Window) _pairs.Remove(key);
        }

        if (_pairs.Count >= MostPairs) _pairs.Clear();
    }

    private sealed class Pair
    {
        public Queue<long> Turns { get; } = new();

        public bool IsHeld { get; set; }
    }
}
