using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// Which turns somebody has cancelled, and which run here. A wish is a record until its turn has ended, so that it outlives a crash and reaches the host that
/// has the turn. Whoever learns of one notes it here before he looks whether the turn runs, and a turn is noted before it looks whether it is cancelled: so
/// one of the two sees the other.
/// </summary>
internal sealed class TurnCancels(IStore store, TimeProvider time)
{
    /// <summary>The records' namespace; the key is the inbox id.</summary>
    public const string Namespace = "core.cancel";

    /// <summary>Longer than any message waits; what is left of a wish by then is swept.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromDays(400);

    private readonly ConcurrentDictionary<Guid, InboxEntry> _known = new();
    private readonly ConcurrentDictionary<Guid, RunningTurn> _running = new();

    /// <summary>The cancelled turns that are known here and haven't ended, as far as is known here.</summary>
    public IReadOnlyCollection<InboxEntry> Known => _known.IsEmpty ? [] : [.. _known.Values];

    /// <summary>True when the turn was cancelled.</summary>
    public bool IsKnown(Guid turn) => !_known.IsEmpty && _known.ContainsKey(turn);

    /// <summary>The record of a wish.</summary>
    public RecordPut Record(Guid turn)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return new RecordPut { Namespace = Namespace, Key = KeyOf(turn), Value = "{}"u8.ToArray(), ExpiresAt = now + (long)Kept.TotalMilliseconds, At = now };
    }

    /// <summary>A wish is known from now on; a turn that runs here is stopped. True when there is one.</summary>
    public bool Note(InboxEntry entry)
    {
        _known[entry.Id] = entry;
        if (!_running.TryGetValue(entry.Id, out var running)) return false;
        running.Cancel();
        return true;
    }

    /// <summary>The turn is over: the wish with it.</summary>
    public async ValueTask ForgetAsync(Guid turn)
    {
        _known.TryRemove(turn, out _);
        try
        {
            await store.CommitAsync(new RecordDelete { Namespace = Namespace, Key = KeyOf(turn) }, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The record stays, and the next look finds that its turn is over.
        }
    }

    /// <summary>Drops what other hosts have ended: whose record is gone.</summary>
    public void Keep(IReadOnlySet<Guid> recorded)
    {
        foreach (var turn in _known.Keys)
        {
            if (!recorded.Contains(turn)) _known.TryRemove(turn, out _);
        }
    }

    /// <summary>A turn begins to run here. Dispose it when it has ended.</summary>
    public RunningTurn Begin(Guid turn)
    {
        var running = new RunningTurn(this, turn);
        _running[turn] = running;
        if (IsKnown(turn)) running.Cancel();
        return running;
    }

    /// <summary>The inbox id of a record.</summary>
    public static bool TryReadKey(string key, out Guid turn) => Guid.TryParseExact(key, "N", out turn);

    private static string KeyOf(Guid turn) => turn.ToString("N");

    /// <summary>A turn that runs here.</summary>
    internal sealed class RunningTurn(TurnCancels owner, Guid turn) : IDisposable
    {
        private readonly CancellationTokenSource _cancelled = new();
        private readonly Lock _gate = new();
        private bool _over;

        /// <summary>Signalled when somebody has cancelled it.</summary>
        public CancellationToken Cancelled => _cancelled.Token;

        [SuppressMessage("Reliability", "CA1849", Justification = "What hears of it hears it now, not after the next switch of threads.")]
        public void Cancel()
        {
            lock (_gate)
            {
                if (!_over) _cancelled.Cancel();
            }
        }

        public void Dispose()
        {
            owner._running.TryRemove(KeyValuePair.Create(turn, this));
            lock (_gate) _over = true;
            _cancelled.Dispose();
        }
    }
}
