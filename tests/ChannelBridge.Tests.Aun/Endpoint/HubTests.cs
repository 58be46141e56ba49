using System.Net;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Endpoint;
using ChannelBridge.Channels.Aun.Messages;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>Slots and queues against what must hold whatever comes, by many random courses; and hosts that tell each other.</summary>
public sealed class HubTests
{
    [Fact]
    public void RandomConnects_NeverBreakTheNumbersOfASlot()
    {
        for (var seed = 0; seed < 30; seed++)
        {
            var random = new Random(seed);
            var options = new AunOptions();
            var store = new MemoryStore(TimeProvider.System);
            var queues = new QueueBook(options, TimeProvider.System);
            var hub = new Hub(aid => new Mailbox(aid, store, queues, NullLogger.Instance), options, TimeProvider.System, NullLogger<Hub>.Instance);
            var there = new List<(GatewayConnection Connection, FakePeer Peer)>();
            for (var step = 0; step < 400; step++)
            {
                if (there.Count > 0 && random.Next(3) == 0)
                {
                    var gone = there[random.Next(there.Count)];
                    there.Remove(gone);
                    hub.Left(gone.Connection);
                    continue;
                }

                var peer = new FakePeer();
                var connection = new GatewayConnection(peer, "nonce", TimeProvider.System);
                hub.Arrived(connection);
                var key = new SlotKey($"aid{random.Next(3)}", random.Next(4) == 0 ? "" : $"device{random.Next(2)}", $"slot{random.Next(3)}");
                if (key.Device.Length == 0) key = key with { Slot = "" };
                var isShort = random.Next(2) == 0;
                var shorts = there.Count(one => one.Connection.Key == key && !one.Connection.IsLong);
                var request = ConnectRequest.Read(JsonElement.Parse(isShort ? """{"options":{"kind":"short"}}""" : "{}"));
                try
                {
                    hub.Enter(connection, key, request, "1.0", static () => { });
                    there.Add((connection, peer));
                    Assert.True(!isShort || key.Device.Length == 0 || shorts < Hub.MostShorts);
                }
                catch (RpcFault fault)
                {
                    Assert.Equal(Hub.ShortsFull, fault.Close);
                    Assert.Equal(Hub.MostShorts, shorts);
                    hub.Left(connection);
                }

                // Whoever was told to go has gone from the hub, too.
                foreach (var kicked in there.Where(static one => one.Peer.Code is not null).ToArray())
                {
                    Assert.Equal(Hub.Replaced, kicked.Peer.Code);
                    there.Remove(kicked);
                    hub.Left(kicked.Connection);
                }

                Assert.Equal(there.Count, hub.Count);
                Assert.Equal(0, hub.WaitingCount);
                foreach (var slot in there.Where(static one => one.Connection.Key!.Value.Device.Length > 0).GroupBy(static one => one.Connection.Key))
                {
                    Assert.True(slot.Count(static one => one.Connection.IsLong) <= 1);
                    Assert.True(slot.Count(static one => !one.Connection.IsLong) <= Hub.MostShorts);
                }

                foreach (var aid in there.Select(static one => one.Connection.Aid).Distinct(StringComparer.Ordinal))
                    Assert.Equal(there.Any(one => one.Connection.Aid == aid && one.Connection.IsLong), hub.IsOnline(aid));
            }
        }
    }

    [Theory]
    [InlineData("{}", false, false, 0)]
    [InlineData("""{"delivery_mode":null}""", false, false, 0)]
    [InlineData("""{"delivery_mode":"fanout"}""", false, false, 0)]
    [InlineData("""{"delivery_mode":{"mode":"fanout","routing":"round_robin","affinity_ttl_ms":5}}""", false, false, 0)]
    [InlineData("""{"delivery_mode":{"mode":"queue","routing":"","affinity_ttl_ms":0}}""", true, false, 0)]
    [InlineData("""{"delivery_mode":{"mode":"queue","routing":"round_robin","affinity_ttl_ms":7}}""", true, false, 0)]
    [InlineData("""{"delivery_mode":{"mode":"queue","routing":"sender_affinity","affinity_ttl_ms":1000}}""", true, true, 1000)]
    public void Modes_AreComparedInOneForm(string parameters, bool isQueue, bool hasAffinity, long affinity) =>
        Assert.Equal(new DeliveryMode(isQueue, hasAffinity, affinity), DeliveryMode.Read(JsonElement.Parse(parameters)));

    [Fact]
    public async Task Hosts_TellEachOther_AndNotThemselves()
    {
        var store = new MemoryStore(TimeProvider.System);
        var one = new HostNews(store, true, TimeProvider.System, NullLogger<HostNews>.Instance);
        var two = new HostNews(store, true, TimeProvider.System, NullLogger<HostNews>.Instance);
        one.Tell("alice", 7);
        one.TellRevoked("bob");
        one.TellSlot(new SlotKey("carol", "device", "slot"), 9);
        await Wait.UntilAsync(async () => (await store.ReadSequenceAsync("aun.news", 0, 10)).Count == 3);
        var heard = new List<string>();
        foreach (var host in new[] { one, two })
        {
            await host.ReadAsync(
                (aid, number) => heard.Add($"{aid} {number}"), aid => heard.Add($"{aid} revoked"), (key, at) => heard.Add($"{key.Aid}/{key.Device}/{key.Slot} at {at}"),
                CancellationToken.None);
        }

        Assert.Equal(["alice 7", "bob revoked", "carol/device/slot at 9"], heard.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TenThousandThatSayNothing_AreClosedAfterTheirTime_AndNothingIsLeftOfThem()
    {
        var time = new ManualTime();
        var hub = NewHub(new MemoryStore(time), new AunOptions(), time);
        var all = Enumerable.Range(0, 10_000).Select(_ => new FakePeer()).ToArray();
        foreach (var peer in all) hub.Arrived(new GatewayConnection(peer, "nonce", time));
        time.Advance(TimeSpan.FromSeconds(29));
        var late = new FakePeer();
        hub.Arrived(new GatewayConnection(late, "nonce", time));
        hub.Sweep();
        Assert.Equal(10_001, hub.WaitingCount);

        time.Advance(TimeSpan.FromSeconds(1));
        hub.Sweep();

        Assert.All(all, static peer => Assert.Equal(Hub.AuthTimedOut, peer.Code));
        Assert.Equal((1, null), (hub.WaitingCount, late.Code));
    }

    [Fact]
    public void ASlotOnAnotherHost_EndsTheOlderConnectionOfIt_AndNoOther()
    {
        var time = new ManualTime();
        var hub = NewHub(new MemoryStore(time), new AunOptions(), time);
        var told = new List<(SlotKey, long)>();
        hub.Entered = (key, at) => told.Add((key, at));
        var key = new SlotKey("alice", "device", "slot");
        var peers = new Dictionary<string, FakePeer>();
        foreach (var (name, where, request) in new[] { ("long", key, "{}"), ("other", key with { Slot = "" }, "{}"), ("short", key, """{"options":{"kind":"short"}}""") })
        {
            var connection = new GatewayConnection(peers[name] = new FakePeer(), "nonce", time);
            hub.Arrived(connection);
            hub.Enter(connection, where, ConnectRequest.Read(JsonElement.Parse(request)), "1.0", static () => { });
        }

        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        Assert.Equal([(key, now), (key with { Slot = "" }, now)], told);
        hub.Replace(key, now - 1);
        Assert.All(peers.Values, static peer => Assert.Null(peer.Code));
        hub.Replace(key, now + 1);
        Assert.Equal((Hub.Replaced, null, null), (peers["long"].Code, peers["other"].Code, peers["short"].Code));
    }

    [Fact]
    public async Task Messages_GoWhereTheModeSays_WhateverComesAndGoes()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var affinity = seed % 3 == 2;
            var request = ConnectRequest.Read(JsonElement.Parse((seed % 3) switch
            {
                0 => "{}",
                1 => """{"delivery_mode":{"mode":"queue"}}""",
                _ => """{"delivery_mode":{"mode":"queue","routing":"sender_affinity","affinity_ttl_ms":60000}}""",
            }));
            var (time, options) = (new ManualTime(), new AunOptions());
            var queues = new QueueBook(options, time);
            var hub = new Hub(aid => new Mailbox(aid, new MemoryStore(time), queues, NullLogger.Instance), options, time, NullLogger<Hub>.Instance);
            var there = new List<(GatewayConnection Connection, FakePeer Peer)>();
            var (number, turn) = (0L, 0);
            var sticky = new Dictionary<string, FakePeer>(StringComparer.Ordinal);
            for (var step = 0; step < 200; step++)
            {
                if (random.Next(5) == 0 && there.Count < 4)
                {
                    var peer = new FakePeer();
                    var connection = new GatewayConnection(peer, "nonce", time);
                    hub.Arrived(connection);
                    hub.Enter(connection, new SlotKey("bobby", "device", $"slot{step}"), request, "1.0", static () => { });
                    there.Add((connection, peer));
                    continue;
                }

                if (random.Next(8) == 0 && there.Count > 1)
                {
                    // What it had is acked, so nobody is told it again.
                    var gone = there[random.Next(there.Count)];
                    there.Remove(gone);
                    await gone.Connection.Acks.AckAsync(number, static at => Task.FromResult(at));
                    hub.Left(gone.Connection);
                    continue;
                }

                var from = $"sender{random.Next(3)}";
                var kinds = request.Mode.IsQueue ? MessageKinds.Queue : MessageKinds.Plain;
                var entry = StoredMessage.Write(kinds, new MessageHead($"m{++number}", from, "bobby", 0, null, false), "{}"u8);
                var before = there.Select(static one => one.Peer.Sent).ToArray();
                Assert.Equal(there.Count > 0, hub.Find("bobby")?.Offer(number, entry) is true);
                var told = there.Where((one, index) => one.Peer.Sent > before[index]).Select(static one => one.Peer).ToArray();
                if (!request.Mode.IsQueue)
                {
                    Assert.Equal(there.Count, told.Length);
                    continue;
                }

                Assert.Equal(Math.Min(1, there.Count), told.Length);
                if (there.Count == 0) continue;
                turn++;
                if (!affinity) continue;
                if (sticky.TryGetValue(from, out var same) && there.Any(one => one.Peer == same)) Assert.Same(same, told[0]);
                sticky[from] = told[0];
            }

            Assert.True(number > 50 && (turn > 0) == request.Mode.IsQueue);
        }
    }

    private static Hub NewHub(MemoryStore store, AunOptions options, TimeProvider time)
    {
        var queues = new QueueBook(options, time);
        return new Hub(aid => new Mailbox(aid, store, queues, NullLogger.Instance), options, time, NullLogger<Hub>.Instance);
    }

    private sealed class FakePeer : ISocketPeer
    {
        public int? Code { get; private set; }

        public int Sent { get; private set; }

        public string Id => "peer";

        public EndpointRequest Request { get; } =
            new() { Id = "r", Verb = "GET", Path = "/aun", Origin = "http://127.0.0.1", Template = "/aun", RemoteAddress = IPAddress.Loopback };

        public string? Subprotocol => null;

        public Caller? Caller => null;

        public DateTimeOffset LastHeardAt => DateTimeOffset.UtcNow;

        public long QueuedBytes => 0;

        public CancellationToken Closed => default;

        public SocketEnd? End => null;

        public void Authenticate(Caller caller)
        {
            // Nobody asks.
        }

        public void AuthenticationFailed(string? identity)
        {
            // As above.
        }

        public ValueTask<SocketMessage?> ReceiveAsync(CancellationToken cancellationToken = default) => default;

        public ValueTask<PushOutcome> SendAsync(ReadOnlyMemory<byte> content, bool binary = false, CancellationToken cancellationToken = default)
        {
            Sent++;
            return new(PushOutcome.Flushed);
        }

        public void Close(int code = 1000, string reason = "") => Code = code;
    }
}
