using System.Text.Json;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.OpenClaw;

/// <summary>What a reply must know of the message that it answers.</summary>
/// <param name="MessageId">The bridge's own id of the message, or null.</param>
/// <param name="SessionKey">Its lane.</param>
/// <param name="Route">Its route.</param>
/// <param name="Stream">Whether its answer is shown while it grows.</param>
internal sealed record TurnOrigin(string? MessageId, string SessionKey, string Route, bool Stream = false);

/// <summary>
/// Finds the message that a reply names by its inbox id: among the turns of late, in the inbox while the message isn't answered, and, for turns
/// that ended without a reply, in a record. The last case is a gateway that was killed between queueing an answer and sending it: the host runs
/// the turn again, the gateway's core knows the message already and answers nothing to it, and sends the queued answer by itself some time later.
/// </summary>
internal sealed class TurnMemory(IStore store, LinkOptions options, TimeProvider time)
{
    private const string Namespace = "link.turn";

    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, Entry> _recent = [];
    private readonly Queue<Guid> _order = new();

    /// <summary>A turn begins.</summary>
    public void Remember(Guid id, InboundMessage message)
    {
        lock (_gate)
        {
            if (!_recent.TryAdd(id, new Entry(OriginOf(message)))) return;
            _order.Enqueue(id);
            if (_order.Count > options.RecentTurns) _recent.Remove(_order.Dequeue());
        }
    }

    /// <summary>A turn has ended well. Without a reply so far, its origin is kept durably for one that comes late.</summary>
    public async ValueTask EndedAsync(Guid id, CancellationToken cancellationToken)
    {
        Entry? entry;
        lock (_gate) _recent.TryGetValue(id, out entry);
        if (entry is null || entry.Replied || entry.Origin.MessageId is null) return;
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        await store.CommitAsync(
            new RecordPut
            {
                Namespace = Namespace,
                Key = id.ToString("N"),
                Value = JsonSerializer.SerializeToUtf8Bytes(entry.Origin, LinkJson.Relaxed.TurnOrigin),
                ExpiresAt = now + (long)options.LateReplies.TotalMilliseconds,
                At = now,
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The origin of the message that a reply names, or null when it isn't known (any more).</summary>
    public async ValueTask<TurnOrigin?> FindAsync(string? replyToId, CancellationToken cancellationToken)
    {
        if (!Guid.TryParse(replyToId, out var id)) return null;
        lock (_gate)
        {
            if (_recent.TryGetValue(id, out var entry))
            {
                entry.Replied = true;
                return entry.Origin;
            }
        }

        if (await store.GetInboxAsync(id, cancellationToken).ConfigureAwait(false) is { Payload.IsEmpty: false } pending)
        {
            return OriginOf(MessageCodec.ReadInbound(pending.Payload.Span));
        }

        var record = await store.GetRecordAsync(Namespace, id.ToString("N"), cancellationToken).ConfigureAwait(false);
        return record is null ? null : JsonSerializer.Deserialize(record.Value.Span, LinkJson.Relaxed.TurnOrigin);
    }

    /// <summary>
    /// Which message of its turn's answer a delivery is, 0 for the first: the gateway delivers in the order in which it streamed. The
    /// same delivery is the same one again. Null when the turn isn't remembered any more.
    /// </summary>
    public int? OrdinalOf(Guid turn, string delivery)
    {
        lock (_gate)
        {
            if (!_recent.TryGetValue(turn, out var entry)) return null;
            if (!entry.Deliveries.TryGetValue(delivery, out var ordinal)) entry.Deliveries[delivery] = ordinal = entry.Deliveries.Count;
            return ordinal;
        }
    }

    private static TurnOrigin OriginOf(InboundMessage message) => new(message.MessageId, message.SessionKey, message.Route, message.Stream);

    private sealed class Entry(TurnOrigin origin)
    {
        public TurnOrigin Origin => origin;

        public bool Replied { get; set; }

        public Dictionary<string, int> Deliveries { get; } = new(StringComparer.Ordinal);
    }
}
