using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Endpoint;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>Takes messages, keeps them in their receivers' numbered logs, tells who is there, and gives them out again.</summary>
internal sealed class MessageDesk(
    IRecords records, IdentityBook identities, PrekeyDesk prekeys, WaitingBook waiting, QueueBook queues, RecallDesk recalls, HostNews news, AunOptions options, TimeProvider time)
{
    private const int DefaultPull = 100;
    private const int MostPulled = 200;
    private const int MostScanned = 10;
    private const int MostSenders = 20_000;
    private readonly ConcurrentDictionary<string, Bucket> _rates = new(StringComparer.Ordinal);

    /// <summary>The connections; set once, when both are there.</summary>
    public Hub Hub { get; set; } = null!;

    /// <summary>The agents of this host that are AIDs here; set once, when they are there.</summary>
    public AgentDesk? Agents { get; set; }

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>
    /// <c>message.send</c> as far as its place in the receiver's log: whoever awaits this before the next call has its messages in their order. The rest comes with the
    /// task that it gives.
    /// </summary>
    public async ValueTask<Task<JsonObject>> BeginSendAsync(GatewayConnection connection, JsonElement parameters, CancellationToken cancellationToken)
    {
        var key = connection.Key!.Value;
        CheckOwn(key, parameters);
        var request = SendRequest.Read(parameters, key.Aid, key.Device);
        if (!MaySend(connection))
            throw RpcFault.Of(new BridgeException(ErrorCodes.RateLimited, "too many messages; send more slowly") { Retryable = true, RetryAfter = TimeSpan.FromSeconds(1) });
        if (await identities.FindAsync(request.To, cancellationToken).ConfigureAwait(false) is not { RevokedAt: 0 } receiver)
            throw new RpcFault(RpcFault.Failed, $"unknown AID: {request.To}");
        if (receiver.Held)
            return Agents is { } agents ? agents.TakeAsync(connection, request, cancellationToken) : throw new RpcFault(RpcFault.Failed, $"unknown AID: {request.To}");
        await waiting.CheckAsync(request.To, cancellationToken).ConfigureAwait(false);
        if (request.Copies is { } copies) await CheckDevicesAsync(request.To, key.Aid, copies, cancellationToken).ConfigureAwait(false);
        return SendAsync(connection.Mode, key, request);
    }

    /// <summary>Puts a message into a receiver's log and tells it.</summary>
    /// <param name="head">What it says of itself.</param>
    /// <param name="payload">The payload.</param>
    /// <param name="copies">Copies instead of the payload, or null.</param>
    /// <param name="further">What is written in the same commit.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async Task<(long Number, bool Duplicate, bool Told)> DeliverAsync(
        MessageHead head, ReadOnlyMemory<byte> payload, ReadOnlyMemory<byte>? copies, IReadOnlyList<RecordWrite> further, CancellationToken cancellationToken)
    {
        var append = Append(head.To, head, payload.Span, copies);
        await records.WriteAsync([append, .. further], cancellationToken).ConfigureAwait(false);
        return (append.Number, append.Duplicate, !append.Duplicate && Offer(head.To, append));
    }

    /// <summary><c>message.pull</c>.</summary>
    public async ValueTask<byte[]> PullAsync(GatewayConnection connection, JsonElement parameters, CancellationToken cancellationToken)
    {
        var key = connection.Key!.Value;
        CheckOwn(key, parameters);
        var after = Params.Number(parameters, "after_seq", 0, 0, long.MaxValue - MostPulled);
        var limit = (int)Math.Min(Params.Number(parameters, "limit", DefaultPull, 1, int.MaxValue), MostPulled);
        var recalled = await recalls.ReadAsync(key.Aid, cancellationToken).ConfigureAwait(false);
        var queue = queues.Find(key.Aid);
        var buffer = new ArrayBufferWriter<byte>(4096);
        buffer.Write("{\"messages\":["u8);
        var (count, passed, last) = (0, after, after);
        for (var scanned = 0; scanned < MostScanned && count < limit; scanned++)
        {
            var entries = await records.ReadSequenceAsync(Mailbox.LogOf(key.Aid), last, limit - count, cancellationToken).ConfigureAwait(false);
            foreach (var entry in entries)
            {
                last = entry.Number;
                if (!IsFor(connection, entry, recalled, queue)) continue;
                var place = buffer.WrittenCount;
                if (count > 0) buffer.Write(","u8);
                if (!StoredMessage.TryRender(entry.Value, entry.Number, key.Device, buffer))
                {
                    buffer = Cut(buffer, place);
                    continue;
                }

                // What lies before the first one that is given doesn't come any more.
                if (count++ == 0) passed = entry.Number - 1;
            }

            if (entries.Count < limit - count) break;
        }

        if (count == 0) passed = last;
        waiting.Note(key.Aid, last);
        var (earliest, dropped) = queue?.Use(static state => (state.Earliest, state.Dropped)) ?? (0, 0);
        Write(buffer, count, Math.Max(last, waiting.Latest(key.Aid)), passed, earliest, dropped);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary><c>message.ack</c>.</summary>
    public async Task<JsonObject> AckAsync(GatewayConnection connection, JsonElement parameters)
    {
        var key = connection.Key!.Value;
        CheckOwn(key, parameters);
        if (!parameters.TryGetProperty("seq"u8, out _)) throw new RpcFault(RpcFault.InvalidParams, "seq is missing");
        var number = Params.Number(parameters, "seq", 0, 0, long.MaxValue);
        var acked = number == 0
            ? Math.Max(connection.Acks.Acked, await waiting.ReadAckAsync(key, CancellationToken.None).ConfigureAwait(false))
            : await connection.Acks.AckAsync(number, target => waiting.WriteAckAsync(key, target)).ConfigureAwait(false);
        if (Agents is { } agents && Hub.Find(key.Aid) is { } mailbox) await agents.AckedAsync(mailbox, number).ConfigureAwait(false);
        return new JsonObject { ["success"] = true, ["ack_seq"] = acked };
    }

    /// <summary><c>message.recall</c>.</summary>
    public async ValueTask<JsonObject> RecallAsync(GatewayConnection connection, JsonElement parameters, CancellationToken cancellationToken)
    {
        var ids = Params.Texts(parameters, "message_ids", RecallDesk.MostAtOnce);
        var (recalled, errors) = await recalls.RecallAsync(connection.Aid, ids, cancellationToken).ConfigureAwait(false);
        foreach (var (to, messages) in recalled)
        {
            Hub.Find(to)?.TellAll(RpcText.Event("event/message.recalled", new JsonObject
            {
                ["message_ids"] = new JsonArray([.. messages.Select(static id => (JsonNode?)id)]),
                ["from"] = connection.Aid,
                ["to"] = to,
                ["timestamp"] = Now,
            }));
        }

        var done = recalled.Sum(static one => one.Value.Count);
        return new JsonObject
        {
            ["success"] = errors.Count == 0,
            ["accepted"] = done,
            ["recalled"] = done,
            ["errors"] = new JsonArray([.. errors.Select(static error => (JsonNode?)new JsonObject { ["message_id"] = error.Id, ["error"] = error.Error })]),
        };
    }

    /// <summary><c>message.query_online</c>.</summary>
    public JsonObject QueryOnline(JsonElement parameters)
    {
        var online = new JsonObject();
        foreach (var aid in Params.Texts(parameters, "aids", 100).Distinct(StringComparer.Ordinal)) online[aid] = Hub.IsOnline(aid) || Agents?.IsAgent(aid) is true;
        return new JsonObject { ["online"] = online };
    }

    /// <summary>Refuses a device or slot in parameters that isn't the connection's.</summary>
    public static void CheckOwn(SlotKey key, JsonElement parameters)
    {
        if (Params.Text(parameters, "device_id") is { } device && device != key.Device) throw new RpcFault(RpcFault.InvalidParams, "device_id isn't this connection's");
        if (Params.Text(parameters, "slot_id") is { } slot && slot != key.Slot) throw new RpcFault(RpcFault.InvalidParams, "slot_id isn't this connection's");
    }

    private async Task<JsonObject> SendAsync(DeliveryMode mode, SlotKey key, SendRequest request)
    {
        var now = Now;
        var head = new MessageHead(request.MessageId, key.Aid, request.To, now, request.Type, request.Encrypted);
        var append = Append(request.To, head, request.RawPayload, request.Copies is { } copies ? SendRequest.Write(copies.Receiver) : (ReadOnlyMemory<byte>?)null);
        var writes = new List<RecordWrite>(3) { append, RecallDesk.Remember(head) };
        SequenceAppend? own = null;
        if (request.Copies is { Own.Count: > 0 } more && request.To != key.Aid) writes.Add(own = Append(key.Aid, head, default, SendRequest.Write(more.Own)));
        await records.WriteAsync(writes).ConfigureAwait(false);
        var told = !append.Duplicate && Offer(request.To, append);
        if (own is { Duplicate: false }) Offer(key.Aid, own);
        return Sent(request.MessageId, append.Number, now, append.Duplicate ? "duplicate" : told ? "delivered" : "sent", mode);
    }

    /// <summary>The answer to <c>message.send</c>.</summary>
    public static JsonObject Sent(string messageId, long number, long timestamp, string status, DeliveryMode mode) => new()
    {
        ["message_id"] = messageId,
        ["seq"] = number,
        ["timestamp"] = timestamp,
        ["status"] = status,
        ["delivery_mode"] = mode.Word,
    };

    private SequenceAppend Append(string log, MessageHead head, ReadOnlySpan<byte> payload, ReadOnlyMemory<byte>? copies)
    {
        var isQueue = copies is null && queues.IsQueue(log);
        var kinds = copies is not null ? MessageKinds.Copies : isQueue ? MessageKinds.Queue | (Hub.IsOnline(log) ? MessageKinds.Taken : MessageKinds.Plain) : MessageKinds.Plain;
        return new SequenceAppend
        {
            Sequence = Mailbox.LogOf(log),
            Once = $"{head.From}\n{head.MessageId}",
            Value = StoredMessage.Write(kinds, head, copies is { } list ? list.Span : payload),
            ExpiresAt = head.Timestamp + (long)queues.TimeToLive(isQueue).TotalMilliseconds,
            At = head.Timestamp,
        };
    }

    private bool Offer(string aid, SequenceAppend append)
    {
        waiting.Note(aid, append.Number);
        news.Tell(aid, append.Number);
        return Hub.Find(aid)?.Offer(append.Number, append.Value) is true;
    }

    private bool MaySend(GatewayConnection connection)
    {
        if (options.SendsPerMinute == 0 || connection.Address is not { } address || System.Net.IPAddress.IsLoopback(address)) return true;
        if (_rates.Count >= MostSenders) _rates.Clear();
        return _rates.GetOrAdd(connection.Aid, _ => new Bucket(options.SendsPerMinute / 2d, options.SendsPerMinute / 60d, time)).TryTake();
    }

    private async ValueTask CheckDevicesAsync(
        string to, string from, (IReadOnlyList<DeviceCopy> Receiver, IReadOnlyList<DeviceCopy> Own) copies, CancellationToken cancellationToken)
    {
        await CheckAsync(to, copies.Receiver, "recipient_copies").ConfigureAwait(false);
        if (copies.Own.Count > 0) await CheckAsync(from, copies.Own, "self_copies").ConfigureAwait(false);

        async ValueTask CheckAsync(string aid, IReadOnlyList<DeviceCopy> list, string name)
        {
            var known = await prekeys.DevicesAsync(aid, cancellationToken).ConfigureAwait(false);
            var there = Hub.Find(aid)?.All ?? [];
            foreach (var copy in list)
            {
                if (copy.Device.Length > 0 && !known.Contains(copy.Device) && !there.Any(one => one.Key!.Value.Device == copy.Device))
                    throw new RpcFault(RpcFault.Failed, $"payload.{name} has a copy for a device that {aid} doesn't have");
            }
        }
    }

    private bool IsFor(GatewayConnection connection, SequenceEntry entry, IReadOnlySet<string> recalled, QueueBook.Entry? queue)
    {
        var kinds = StoredMessage.KindsOf(entry.Value.Span);
        if (recalled.Count > 0 && recalled.Contains(StoredMessage.IdOf(entry.Value.Span) is var id ? RecallDesk.KeyOf(id.From, id.MessageId) : "")) return false;
        if (!kinds.HasFlag(MessageKinds.Queue)) return true;
        return (queue ?? queues.For(connection.Aid)).Use(state =>
            state.TryTake(entry.Number, kinds, connection, owner => Hub.Find(connection.Aid)?.All.Contains(owner) is true));
    }

    private static ArrayBufferWriter<byte> Cut(ArrayBufferWriter<byte> buffer, int length)
    {
        var kept = new ArrayBufferWriter<byte>(Math.Max(4096, length));
        kept.Write(buffer.WrittenSpan[..length]);
        return kept;
    }

    private static void Write(ArrayBufferWriter<byte> buffer, int count, long latest, long passed, long earliest, long dropped)
    {
        buffer.Write("],"u8);
        buffer.Write(System.Text.Encoding.ASCII.GetBytes(string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"\"count\":{count},\"latest_seq\":{latest},\"server_ack_seq\":{passed},\"ephemeral_earliest_available_seq\":{(earliest > 0 ? earliest : "null")},"
            + $"\"ephemeral_dropped_count\":{dropped}}}")));
    }
}
