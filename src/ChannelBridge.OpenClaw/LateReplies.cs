using System.Collections.Concurrent;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.OpenClaw;

/// <summary>What came for a turn after the gateway's restart: the parts of one answer.</summary>
/// <param name="DeliveryId">The core's id of it.</param>
/// <param name="Parts">The parts so far, by number.</param>
/// <param name="Expected">How many there are.</param>
internal sealed record LateReply(string DeliveryId, IReadOnlyDictionary<int, LatePart> Parts, int Expected)
{
    /// <summary>Nothing of it is missing.</summary>
    public bool IsWhole => Parts.Count >= Expected;
}

/// <summary>A part of a late answer.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Files">Its files, in the spool.</param>
internal sealed record LatePart(string Text, IReadOnlyList<Attachment> Files);

/// <summary>
/// Answers that come late to turns whose answer was to come back in the turn: the gateway was killed in it, its core resumes what it had
/// adopted, and sends the answer to <c>turn:ID</c>. It is written down before <c>link.send</c> is answered, and ends the turn that waits
/// for it, also in the host's next life.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing.")]
internal sealed class LateReplies(IStore store, LinkOptions options, TimeProvider time)
{
    private const string Namespace = "link.late";
    private const string Prefix = "turn:";

    private readonly ConcurrentDictionary<Guid, TaskCompletionSource> _waiting = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly HashSet<Guid> _adopted = [];
    private readonly Queue<Guid> _order = new();

    /// <summary>The core has taken a turn over, and the link was lost before the turn's end: what it makes of it comes late.</summary>
    public void Adopted(Guid turn)
    {
        lock (_adopted)
        {
            if (!_adopted.Add(turn)) return;
            _order.Enqueue(turn);
            if (_order.Count > options.RecentTurns) _adopted.Remove(_order.Dequeue());
        }
    }

    /// <summary>True when the core had taken it over in an earlier attempt.</summary>
    public bool WasAdopted(Guid turn)
    {
        lock (_adopted) return _adopted.Contains(turn);
    }

    /// <summary>The target of a turn's late answer.</summary>
    public static string TargetOf(Guid turn) => $"{Prefix}{turn:D}";

    /// <summary>The turn that a target names.</summary>
    public static bool TryParse(string target, out Guid turn)
    {
        turn = default;
        return target.StartsWith(Prefix, StringComparison.Ordinal) && Guid.TryParse(target.AsSpan(Prefix.Length), out turn);
    }

    /// <summary>The message of a turn that isn't over.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.NotFound"/>: it is.</exception>
    public async ValueTask<InboundMessage> MessageAsync(Guid turn, CancellationToken cancellationToken) =>
        await store.GetInboxAsync(turn, cancellationToken).ConfigureAwait(false) is { State: TurnState.Pending, Payload.IsEmpty: false } entry
            ? MessageCodec.ReadInbound(entry.Payload.Span)
            : throw new BridgeException(ErrorCodes.NotFound, "link.send: the turn of this answer is over, nobody waits for it.");

    /// <summary>Takes a part. Durable when it completes; the same part again changes nothing.</summary>
    /// <returns>True: it was known.</returns>
    public async ValueTask<bool> TakeAsync(Guid turn, SendParameters send, LatePart part, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var known = await FindAsync(turn, cancellationToken).ConfigureAwait(false);
            if (known is not null && (known.IsWhole || known.DeliveryId != send.DeliveryId || known.Parts.ContainsKey(send.Part))) return true;
            var parts = new SortedDictionary<int, LatePart>((known?.Parts ?? new Dictionary<int, LatePart>()).ToDictionary()) { [send.Part] = part };
            var reply = new LateReply(send.DeliveryId, parts, Math.Clamp(send.Parts ?? 1, 1, 1_000));
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            await store.CommitAsync(
                new RecordPut
                {
                    Namespace = Namespace,
                    Key = turn.ToString("N"),
                    Value = JsonSerializer.SerializeToUtf8Bytes(reply, LinkJson.Relaxed.LateReply),
                    ExpiresAt = now + (long)options.LateReplies.TotalMilliseconds,
                    At = now,
                },
                CancellationToken.None).ConfigureAwait(false);
            if (reply.IsWhole && _waiting.TryGetValue(turn, out var waiting)) waiting.TrySetResult();
            return false;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>True when this part has come.</summary>
    public async ValueTask<bool> HasAsync(Guid turn, string deliveryId, int part, CancellationToken cancellationToken) =>
        await FindAsync(turn, cancellationToken).ConfigureAwait(false) is { } known && known.DeliveryId == deliveryId && known.Parts.ContainsKey(part);

    /// <summary>Waits for a turn's answer, or gives the one that has come already.</summary>
    public async ValueTask<LateReply> WaitAsync(Guid turn, CancellationToken cancellationToken)
    {
        var waiting = _waiting.GetOrAdd(turn, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        try
        {
            while (true)
            {
                if (await FindAsync(turn, cancellationToken).ConfigureAwait(false) is { IsWhole: true } reply) return reply;
                await waiting.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _waiting.TryRemove(turn, out _);
        }
    }

    private async ValueTask<LateReply?> FindAsync(Guid turn, CancellationToken cancellationToken)
    {
        var record = await store.GetRecordAsync(Namespace, turn.ToString("N"), cancellationToken).ConfigureAwait(false);
        return record is null ? null : JsonSerializer.Deserialize(record.Value.Span, LinkJson.Relaxed.LateReply);
    }
}
