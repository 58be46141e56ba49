using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun.Messages;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>
/// The connections: who may be there beside whom, who is told that it must go, and what ends by time. Numbers and codes are those of the protocol.
/// </summary>
internal sealed partial class Hub(Func<string, Mailbox> makeMailbox, AunOptions options, TimeProvider time, ILogger<Hub> logger)
{
    public const int Revoked = 4003;
    public const int AuthTimedOut = 4008;
    public const int Replaced = 4009;
    public const int LongExists = 4012;
    public const int ShortsFull = 4013;
    public const int IdleTooLong = 4014;
    public const int Evicted = 4015;
    public const int MostShorts = 10;
    public const int Quota = 10;
    private const int Leaving = 1001;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private readonly LinkedList<GatewayConnection> _waiting = new();
    private readonly ConcurrentDictionary<string, Mailbox> _mailboxes = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Device, IPAddress? Address), GatewayConnection[]> _devices = [];
    private readonly HashSet<GatewayConnection> _idling = [];
    private int _count;

    /// <summary>Hears of a slot's new long connection.</summary>
    public Action<SlotKey, long>? Entered { get; set; }

    /// <summary>Connections that have authenticated.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Connections that haven't.</summary>
    public int WaitingCount
    {
        get { lock (_lock) return _waiting.Count; }
    }

    /// <summary>AIDs with a connection.</summary>
    public int Aids => _mailboxes.Count;

    /// <summary>An AID's connections, or null when it has none.</summary>
    public Mailbox? Find(string aid) => _mailboxes.GetValueOrDefault(aid);

    /// <summary>True when an AID is told at once what comes.</summary>
    public bool IsOnline(string aid) => Find(aid) is { HasLong: true };

    /// <summary>A connection has come; it has a while to say whose it is.</summary>
    public void Arrived(GatewayConnection connection)
    {
        lock (_lock) connection.Waiting = _waiting.AddLast(connection);
    }

    /// <summary>A connection is somebody's now, as it asks to be.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="key">What it is.</param>
    /// <param name="request">How it asks to be.</param>
    /// <param name="protocol">The version that both speak.</param>
    /// <param name="greet">Puts the greeting into its line, before anything else can be told.</param>
    /// <exception cref="RpcFault">It may not be beside the others; nothing has changed.</exception>
    public void Enter(GatewayConnection connection, SlotKey key, ConnectRequest request, string protocol, Action greet)
    {
        var going = new List<(GatewayConnection, int, string, JsonObject)>();
        lock (_lock)
        {
            var mailbox = _mailboxes.GetOrAdd(key.Aid, makeMailbox);
            var all = mailbox.All;
            var same = key.Device.Length == 0 ? [] : all.Where(other => other.Key == key).ToArray();
            var former = request.IsLong ? same.FirstOrDefault(static other => other.IsLong) : null;
            try
            {
                Check(key, request, all, same, former);
            }
            catch (RpcFault) when (mailbox.IsEmpty)
            {
                _mailboxes.TryRemove(key.Aid, out _);
                throw;
            }

            if (former is not null) going.Add((former, Replaced, "slot_replaced", Detail(key)));
            connection.Connect(key, request, protocol, time.GetUtcNow().ToUnixTimeMilliseconds());
            if (key.Device.Length > 0) CollectOverQuota(connection, key, all, going);
            foreach (var (gone, _, _, _) in going) Take(gone);
            greet();
            mailbox = _mailboxes.GetOrAdd(key.Aid, mailbox);
            mailbox.Add(connection);
            if (key.Device.Length > 0) _devices[PlaceOf(connection, key)] = [.. DeviceOf(connection, key), connection];
            if (connection.IdleTime is not null) _idling.Add(connection);
            if (connection.Waiting is { } node) _waiting.Remove(node);
            connection.Waiting = null;
            Interlocked.Increment(ref _count);
        }

        foreach (var (gone, code, reason, detail) in going) Dismiss(gone, code, reason, detail);
        if (request.IsLong && key.Device.Length > 0) Entered?.Invoke(key, connection.ConnectedAt);
    }

    /// <summary>A slot has a long connection on another host, made then: one of here that is older goes.</summary>
    public void Replace(SlotKey key, long at)
    {
        if (options.SlotConflict != SlotConflict.Kick || Find(key.Aid) is not { } mailbox) return;
        foreach (var former in mailbox.Longs.Where(one => one.Key == key && one.ConnectedAt < at && !one.IsLeaving)) Dismiss(former, Replaced, "slot_replaced", Detail(key));
    }

    /// <summary>A connection has ended.</summary>
    public void Left(GatewayConnection connection)
    {
        lock (_lock)
        {
            if (connection.Waiting is { } node) _waiting.Remove(node);
            connection.Waiting = null;
            Take(connection);
        }
    }

    /// <summary>Ends all connections of an AID.</summary>
    public void Close(string aid, int code, string reason)
    {
        if (Find(aid) is not { } mailbox) return;
        foreach (var connection in mailbox.All) Dismiss(connection, code, reason, new JsonObject { ["aid"] = aid });
    }

    /// <summary>Ends all connections: the host stops.</summary>
    public void CloseAll()
    {
        GatewayConnection[] all;
        lock (_lock) all = [.. _waiting, .. _mailboxes.Values.SelectMany(static mailbox => mailbox.All)];
        foreach (var connection in all) connection.Peer.Close(Leaving, "the host stops");
    }

    /// <summary>Ends what has been silent for too long, until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Look, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false)) Sweep();
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
    }

    internal void Sweep()
    {
        List<GatewayConnection>? late = null;
        List<GatewayConnection>? idle = null;
        lock (_lock)
        {
            // In the order in which they came, so the first that has time left is the last to look at.
            while (_waiting.First is { } first && first.Value.Age >= options.AuthTimeout)
            {
                _waiting.RemoveFirst();
                first.Value.Waiting = null;
                (late ??= []).Add(first.Value);
            }

            foreach (var connection in _idling)
            {
                if (!connection.IsLeaving && connection.Idle >= connection.IdleTime) (idle ??= []).Add(connection);
            }
        }

        foreach (var connection in late ?? []) connection.Peer.Close(AuthTimedOut, "Auth timeout");
        foreach (var connection in idle ?? []) _ = DismissIdleAsync(connection);
    }

    private void Check(SlotKey key, ConnectRequest request, IReadOnlyList<GatewayConnection> all, GatewayConnection[] same, GatewayConnection? former)
    {
        if (!request.IsLong)
        {
            if (same.Count(static other => !other.IsLong) < MostShorts) return;
            throw new RpcFault(RpcFault.Validation, $"short_connection_capacity_exceeded: a slot has at most {MostShorts} short connections")
            {
                Details = Detail(key),
                Close = ShortsFull,
            };
        }

        if (former is not null && options.SlotConflict == SlotConflict.Reject)
            throw new RpcFault(RpcFault.Validation, "slot_conflict: the slot has a long connection") { Details = Detail(key), Close = LongExists };
        if (all.Any(other => other.IsLong && other != former && other.Mode != request.Mode))
            throw new RpcFault(RpcFault.Validation, "delivery_mode_conflict: all connections of an AID have the same delivery_mode") { Details = Detail(key) };
    }

    // The oldest goes: a slot of the device, a device of the AID, an AID of the device. Who comes from elsewhere with somebody's device id puts nobody out.
    private void CollectOverQuota(
        GatewayConnection connection, SlotKey key, IReadOnlyList<GatewayConnection> all, List<(GatewayConnection, int, string, JsonObject)> going)
    {
        Collect(all.Where(other => other.Key!.Value.Device == key.Device), other => other.Key!.Value.Slot, key.Slot, "aid_device_slot_quota_exceeded");
        Collect(all.Where(static other => other.Key!.Value.Device.Length > 0), other => other.Key!.Value.Device, key.Device, "aid_devices_quota_exceeded");
        Collect(DeviceOf(connection, key), other => other.Aid, key.Aid, "device_aids_quota_exceeded");

        void Collect(IEnumerable<GatewayConnection> among, Func<GatewayConnection, string> by, string own, string kind)
        {
            var groups = among.Where(other => !going.Any(gone => gone.Item1 == other)).GroupBy(by, StringComparer.Ordinal).Where(group => group.Key != own).ToArray();
            if (groups.Length < Quota) return;
            foreach (var other in groups.MinBy(static group => group.Min(static one => one.ConnectedAt))!)
            {
                var detail = Detail(other.Key!.Value);
                detail["quota_kind"] = kind;
                detail["evicted_by"] = Detail(key);
                going.Add((other, Evicted, kind, detail));
            }
        }
    }

    // Out of all lists; called under the lock.
    private void Take(GatewayConnection connection)
    {
        if (connection.Key is not { } key || Find(key.Aid) is not { } mailbox || !mailbox.Remove(connection)) return;
        Interlocked.Decrement(ref _count);
        _idling.Remove(connection);
        if (mailbox.IsEmpty) _mailboxes.TryRemove(key.Aid, out _);
        if (key.Device.Length == 0) return;
        var rest = DeviceOf(connection, key).Where(other => other != connection).ToArray();
        if (rest.Length > 0) _devices[PlaceOf(connection, key)] = rest;
        else _devices.Remove(PlaceOf(connection, key));
    }

    private GatewayConnection[] DeviceOf(GatewayConnection connection, SlotKey key) => _devices.GetValueOrDefault(PlaceOf(connection, key), []);

    private static (string Device, IPAddress? Address) PlaceOf(GatewayConnection connection, SlotKey key) => (key.Device, connection.Address);

    private void Dismiss(GatewayConnection connection, int code, string reason, JsonObject detail)
    {
        connection.IsLeaving = true;
        Tell(connection, code, reason, detail);
        connection.Peer.Close(code, reason);
    }

    private async Task DismissIdleAsync(GatewayConnection connection)
    {
        connection.IsLeaving = true;
        var detail = Detail(connection.Key!.Value);
        detail["idle_ms"] = (long)connection.Idle.TotalMilliseconds;
        detail["ttl_ms"] = (long)connection.IdleTime!.Value.TotalMilliseconds;
        Tell(connection, IdleTooLong, "short_connection_idle_timeout", detail);
        await Task.Delay(Look, time).ConfigureAwait(false);
        connection.Peer.Close(IdleTooLong, "short_connection_idle_timeout");
    }

    private void Tell(GatewayConnection connection, int code, string reason, JsonObject detail)
    {
        var frame = RpcText.Event("event/gateway.disconnect", new JsonObject { ["code"] = code, ["reason"] = reason, ["detail"] = detail });
        _ = ObserveAsync(connection, frame);
    }

    private async Task ObserveAsync(GatewayConnection connection, byte[] frame)
    {
        try
        {
            await connection.Peer.SendAsync(frame).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogNotTold(logger, fault, connection.ModuleId);
        }
    }

    private static JsonObject Detail(SlotKey key) => new() { ["aid"] = key.Aid, ["device_id"] = key.Device, ["slot_id"] = key.Slot };

    [LoggerMessage(LogEvents.EndpointPushFault, LogLevel.Debug, "The connection {Connection} of the AUN endpoint could not be told that it ends.")]
    private static partial void LogNotTold(ILogger logger, Exception fault, string connection);
}
