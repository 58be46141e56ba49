using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Channels.A2A.Tasks;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.A2A.Push;

/// <summary>Those who post notifications, one for each peer.</summary>
internal sealed class PushSenders(PushBook pushes, TaskBook tasks, IOutbox outbox, IGuardedHttp http, A2AOptions options, TimeProvider time, ILogger<PushSender> logger)
{
    private readonly ConcurrentDictionary<string, PushSender> _senders = new(StringComparer.Ordinal);

    /// <summary>Has a peer's notifications posted from now on.</summary>
    public void Attach(string peer)
    {
        if (_senders.ContainsKey(peer)) return;
        var sender = new PushSender(peer, pushes, tasks, outbox, http, options, time, logger);
        if (_senders.TryAdd(peer, sender)) outbox.Attach(A2AChannel.ChannelId, peer, sender);
        else sender.Dispose();
    }

    /// <summary>Posts no more.</summary>
    public void Close()
    {
        foreach (var sender in _senders.Values)
        {
            outbox.Detach(A2AChannel.ChannelId, sender.Peer, sender);
            sender.Close();
        }
    }
}
