using System.Buffers;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Endpoint;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>
/// An AID that is connected here: its connections, and what is told them. They are told in the order of the numbers; where a number comes late, what lies between is
/// read from the log. What a connection doesn't get, because it reads too slowly, it finds by its numbers and pulls.
/// </summary>
internal sealed partial class Mailbox(string aid, IRecords records, QueueBook queues, ILogger logger)
{
    private const int Page = 100;
    private const long NotYet = -1;

    private readonly Lock _lock = new();
    private GatewayConnection[] _all = [];
    private GatewayConnection[] _longs = [];
    private long _first = NotYet;
    private long _told = NotYet;
    private long _wanted;
    private long _replies;
    private bool _reading;

    /// <summary>Whose.</summary>
    public string Aid => aid;

    /// <summary>Its connections.</summary>
    public IReadOnlyList<GatewayConnection> All => Volatile.Read(ref _all);

    /// <summary>Those that are told what comes.</summary>
    public IReadOnlyList<GatewayConnection> Longs => Volatile.Read(ref _longs);

    /// <summary>True when there is one that is told.</summary>
    public bool HasLong => Longs.Count > 0;

    /// <summary>True when there is none at all.</summary>
    public bool IsEmpty => All.Count == 0;

    /// <summary>Grows with each answer of an agent that is put into the log.</summary>
    public long Replies => Interlocked.Read(ref _replies);

    /// <summary>What <see cref="Replies"/> was when no answer was left whose ack is of interest.</summary>
    public long RepliesSeen { get; set; } = -1;

    /// <summary>An agent's answer is in the log.</summary>
    public void HasReply() => Interlocked.Increment(ref _replies);

    /// <summary>The log of an AID.</summary>
    public static string LogOf(string aid) => "aun.log/" + aid;

    /// <summary>A connection has come.</summary>
    public void Add(GatewayConnection connection)
    {
        lock (_lock)
        {
            _all = [.. _all, connection];
            if (!connection.IsLong) return;
            _longs = [.. _longs, connection];
            queues.Note(aid, connection.Mode);
        }
    }

    /// <summary>A connection has gone; false when it wasn't there.</summary>
    public bool Remove(GatewayConnection connection)
    {
        IReadOnlyList<long> open;
        lock (_lock)
        {
            if (!_all.Contains(connection)) return false;
            _all = [.. _all.Where(other => other != connection)];
            if (!connection.IsLong) return true;
            _longs = [.. _longs.Where(other => other != connection)];
            if (_longs.Length == 0) _told = NotYet;
            open = connection.Mode.IsQueue && queues.Find(aid) is { } queue ? queue.Use(state => state.Release(connection)) : [];
        }

        if (open.Count > 0) _ = TellAgainAsync(open);
        return true;
    }

    /// <summary>An entry is in the log.</summary>
    /// <returns>True when somebody is there who is told.</returns>
    public bool Offer(long number, ReadOnlyMemory<byte> entry)
    {
        lock (_lock)
        {
            if (_longs.Length == 0) return false;
            if (_told == NotYet)
            {
                _first = number;
                _told = number;
                Tell(number, entry);
            }
            else if (number < _first)
            {
                // It came before the first that was told and was a little later here: nobody has told it.
                Tell(number, entry);
            }
            else if (number == _told + 1)
            {
                _told = number;
                Tell(number, entry);
            }
            else if (number > _told)
            {
                Want(number);
            }

            return true;
        }
    }

    /// <summary>Another host has put an entry into the log.</summary>
    public void Wake(long number)
    {
        lock (_lock)
        {
            if (_longs.Length == 0) return;
            if (_told != NotYet && number < _first)
            {
                // It came before the first that was told here, and the word of it was slower.
                _ = TellAgainAsync([number]);
                return;
            }

            if (number <= _told) return;
            if (_told == NotYet)
            {
                _first = number;
                _told = number - 1;
            }

            Want(number);
        }
    }

    /// <summary>Tells all connections something that stands in no log.</summary>
    public void TellAll(byte[] frame)
    {
        foreach (var connection in Longs) Send(connection, frame);
    }

    private void Want(long number)
    {
        _wanted = Math.Max(_wanted, number);
        if (_reading) return;
        _reading = true;
        _ = ReadAsync();
    }

    private async Task ReadAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            long from;
            lock (_lock)
            {
                if (_told >= _wanted || _told == NotYet)
                {
                    _reading = false;
                    return;
                }

                from = _told;
            }

            IReadOnlyList<SequenceEntry> entries;
            try
            {
                entries = await records.ReadSequenceAsync(LogOf(aid), from, Page).ConfigureAwait(false);
            }
            catch (Exception fault)
            {
                LogFault(logger, fault, aid);
                entries = [];
            }

            lock (_lock)
            {
                foreach (var entry in entries)
                {
                    if (entry.Number <= _told) continue;
                    if (_told != NotYet) _told = entry.Number;
                    Tell(entry.Number, entry.Value);
                }

                // Nothing more to read: the rest has expired, or can't be read now and is pulled.
                if (entries.Count == 0 && _told != NotYet) _told = Math.Max(_told, _wanted);
            }
        }
    }

    private async Task TellAgainAsync(IReadOnlyList<long> numbers)
    {
        try
        {
            foreach (var number in numbers)
            {
                var entries = await records.ReadSequenceAsync(LogOf(aid), number - 1, 1).ConfigureAwait(false);
                if (entries.Count == 0 || entries[0].Number != number) continue;
                lock (_lock) Tell(number, entries[0].Value);
            }
        }
        catch (Exception fault)
        {
            LogFault(logger, fault, aid);
        }
    }

    // Under the lock, so that the order of the calls is that of the frames.
    private void Tell(long number, ReadOnlyMemory<byte> entry)
    {
        if (StoredMessage.KindsOf(entry.Span).HasFlag(MessageKinds.Queue))
        {
            var from = StoredMessage.IdOf(entry.Span).From;
            var chosen = queues.For(aid).Use(state =>
            {
                var one = state.Choose(_longs, from);
                state.Assign(number, one);
                return one;
            });
            if (chosen is not null) Tell([chosen], number, entry);
            return;
        }

        Tell(_longs, number, entry);
    }

    private void Tell(ReadOnlySpan<GatewayConnection> connections, long number, ReadOnlyMemory<byte> entry)
    {
        var isPlain = !StoredMessage.KindsOf(entry.Span).HasFlag(MessageKinds.Copies);
        byte[]? frame = null;
        foreach (var connection in connections)
        {
            if (frame is null || !isPlain) frame = Frame(number, entry, connection.Key!.Value.Device);
            if (frame is not null) Send(connection, frame);
        }
    }

    private static byte[]? Frame(long number, ReadOnlyMemory<byte> entry, string device)
    {
        var buffer = new ArrayBufferWriter<byte>(entry.Length + 160);
        buffer.Write("{\"jsonrpc\":\"2.0\",\"method\":\"event/message.received\",\"params\":"u8);
        if (!StoredMessage.TryRender(entry, number, device, buffer)) return null;
        buffer.Write("}"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private void Send(GatewayConnection connection, byte[] frame)
    {
        var sending = connection.Peer.SendAsync(frame);
        if (!sending.IsCompletedSuccessfully) _ = ObserveAsync(sending);
    }

    private async Task ObserveAsync(ValueTask<PushOutcome> sending)
    {
        try
        {
            await sending.ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogFault(logger, fault, aid);
        }
    }

    [LoggerMessage(LogEvents.EndpointMailboxFault, LogLevel.Debug, "What came for {Aid} could not be told; it is pulled.")]
    private static partial void LogFault(ILogger logger, Exception fault, string aid);
}
