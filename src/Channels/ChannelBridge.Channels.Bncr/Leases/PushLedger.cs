using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>Where a message was last pushed.</summary>
/// <param name="Account">The message's account.</param>
/// <param name="ConnectionId">The connection.</param>
/// <param name="Caller">Whose connection it is.</param>
/// <param name="NeedsAck">Whether its ack is waited for.</param>
/// <param name="TraceParent">The message's trace, or null.</param>
internal readonly record struct LastPush(BncrAccount Account, string ConnectionId, Caller Caller, bool NeedsAck, string? TraceParent = null);

/// <summary>
/// Remembers where messages were last pushed, the newest of all accounts, to judge acks: one under an outdated lease counts only from that connection,
/// and a client with another access token can't ack at all. A ring of fixed size; a forgotten push is judged by the account's lease alone.
/// </summary>
internal sealed class PushLedger(int capacity = 65_536)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, LastPush> _pushes = [];
    private readonly Queue<Guid> _order = new();

    public void Record(Guid id, LastPush push)
    {
        LastPush dropped = default;
        var replaced = false;
        lock (_gate)
        {
            replaced = _pushes.TryGetValue(id, out var before);
            if (replaced) dropped = before;
            _pushes[id] = push;
            if (!replaced)
            {
                _order.Enqueue(id);
                // Ids that were acked meanwhile are still in line; the line may be twice as long as the map, not longer.
                while (_pushes.Count > capacity || _order.Count > 2 * capacity)
                {
                    if (_pushes.Remove(_order.Dequeue(), out var oldest)) Settle(oldest);
                }
            }
        }

        if (replaced) Settle(dropped);
        if (push.NeedsAck) push.Account.Stats.AwaitAck(+1);
    }

    public bool TryGet(Guid id, out LastPush push)
    {
        lock (_gate) return _pushes.TryGetValue(id, out push);
    }

    public void Forget(Guid id)
    {
        LastPush push;
        lock (_gate)
        {
            if (!_pushes.Remove(id, out push)) return;
        }

        Settle(push);
    }

    private static void Settle(LastPush push)
    {
        if (push.NeedsAck) push.Account.Stats.AwaitAck(-1);
    }
}
