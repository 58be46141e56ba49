using System.Collections.Concurrent;
using System.Globalization;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Endpoint;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>Acks on disk, and how much waits for each AID, so that nobody's log grows without end.</summary>
internal sealed class WaitingBook(IRecords records, AunOptions options, TimeProvider time)
{
    private const string Namespace = "aun.ack";
    private const int MostKnown = 50_000;
    private const int MostSlots = 1000;
    private static readonly TimeSpan Kept = TimeSpan.FromDays(90);
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Waiting> _known = new(StringComparer.Ordinal);

    /// <summary>The newest number of an AID that is known here.</summary>
    public long Latest(string aid) => _known.TryGetValue(aid, out var known) ? known.Latest : 0;

    /// <summary>A number was given out.</summary>
    public void Note(string aid, long number)
    {
        if (_known.TryGetValue(aid, out var known)) known.Note(number);
    }

    /// <summary>Refuses where too much waits.</summary>
    public ValueTask CheckAsync(string aid, CancellationToken cancellationToken) =>
        _known.TryGetValue(aid, out var known) && known.Latest - known.Floor < options.MaxWaiting
            ? ValueTask.CompletedTask
            : new ValueTask(CheckStoreAsync(aid, cancellationToken));

    /// <summary>The number that an instance has acked.</summary>
    public async ValueTask<long> ReadAckAsync(SlotKey key, CancellationToken cancellationToken) =>
        await records.GetRecordAsync(Namespace, KeyOf(key), cancellationToken).ConfigureAwait(false) is { } stored ? NumberOf(stored) : 0;

    /// <summary>Writes an ack that is higher than what is stored; gives what is stored then.</summary>
    public async Task<long> WriteAckAsync(SlotKey key, long number)
    {
        while (true)
        {
            var stored = await records.GetRecordAsync(Namespace, KeyOf(key)).ConfigureAwait(false);
            if (stored is not null && NumberOf(stored) >= number) return NumberOf(stored);
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            var put = new RecordPut
            {
                Namespace = Namespace,
                Key = KeyOf(key),
                Index = key.Aid,
                Value = System.Text.Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)),
                ExpiresAt = now + (long)Kept.TotalMilliseconds,
                ExpectedVersion = stored?.Version ?? 0,
                At = now,
            };
            await records.WriteAsync(put).ConfigureAwait(false);
            if (!put.Conflict) return number;
        }
    }

    private async Task CheckStoreAsync(string aid, CancellationToken cancellationToken)
    {
        if (_known.Count >= MostKnown) _known.Clear();
        var known = _known.GetOrAdd(aid, _ => new Waiting(time));
        if (!known.IsOlderThan(Fresh))
        {
            // Just read by another call: what it found holds.
            if (known.Latest - known.Floor >= options.MaxWaiting) throw Full();
            return;
        }

        var oldest = await records.ReadSequenceAsync(Mailbox.LogOf(aid), 0, 1, cancellationToken).ConfigureAwait(false);
        var acks = await records.ListRecordsAsync(Namespace, aid, null, MostSlots, cancellationToken).ConfigureAwait(false);
        var acked = acks.Count > 0 ? acks.Max(NumberOf) : 0;
        known.Read(oldest.Count > 0 ? oldest[0].Number - 1 : 0, acked);
        if (known.Latest - known.Floor >= options.MaxWaiting) throw Full();

        RpcFault Full() => RpcFault.Of(BridgeException.Busy($"too much waits for {aid}; it is taken when some of that was pulled and acked", TimeSpan.FromSeconds(5)));
    }

    private static string KeyOf(SlotKey key) => $"{key.Aid}\n{key.Device}\n{key.Slot}";

    private static long NumberOf(StoreRecord stored) => long.Parse(stored.Value.Span, NumberStyles.None, CultureInfo.InvariantCulture);

    private sealed class Waiting(TimeProvider time)
    {
        private readonly Lock _lock = new();
        private long _readAt;
        private bool _isRead;

        public long Latest { get; private set; }

        public long Floor { get; private set; }

        public bool IsOlderThan(TimeSpan age)
        {
            lock (_lock) return !_isRead || time.GetElapsedTime(_readAt) > age;
        }

        public void Note(long number)
        {
            lock (_lock) Latest = Math.Max(Latest, number);
        }

        public void Read(long before, long acked)
        {
            lock (_lock)
            {
                Latest = Math.Max(Latest, before);
                Floor = Math.Max(Floor, Math.Max(before, Math.Min(acked, Latest)));
                _readAt = time.GetTimestamp();
                _isRead = true;
            }
        }
    }
}
