using System.Globalization;
using System.Net;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Channels.Aun.Messages;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>What one connection of an instance is: an AID's device and slot. An empty device: a client without one, for which there are no slots.</summary>
/// <param name="Aid">Whose.</param>
/// <param name="Device">The device.</param>
/// <param name="Slot">The slot.</param>
internal readonly record struct SlotKey(string Aid, string Device, string Slot);

/// <summary>One connection, from its challenge on.</summary>
internal sealed class GatewayConnection(ISocketPeer peer, string nonce, TimeProvider time)
{
    private readonly long _number = Random.Shared.NextInt64(1L << 48);
    private readonly long _openedAt = time.GetTimestamp();
    private long _lastCallAt = time.GetTimestamp();
    private AckState? _acks;

    /// <summary>The other side.</summary>
    public ISocketPeer Peer => peer;

    /// <summary>Where it is.</summary>
    public IPAddress? Address => peer.Request.RemoteAddress;

    /// <summary>The challenge's nonce; null once it was used.</summary>
    public string? Nonce { get; private set; } = nonce;

    /// <summary>What it is; null until it has connected.</summary>
    public SlotKey? Key { get; private set; }

    /// <summary>Its AID, once it has connected.</summary>
    public string Aid => Key!.Value.Aid;

    /// <summary>True: it is told what comes. False: it only calls.</summary>
    public bool IsLong { get; private set; }

    /// <summary>How messages are to reach it.</summary>
    public DeliveryMode Mode { get; private set; }

    /// <summary>For how long a short one may be idle; null: as long as it likes.</summary>
    public TimeSpan? IdleTime { get; private set; }

    /// <summary>When it connected (Unix ms).</summary>
    public long ConnectedAt { get; private set; }

    /// <summary>The version that both speak.</summary>
    public string Protocol { get; private set; } = "";

    /// <summary>Its name on the wire; made when it is asked for, as most connections say nothing for hours.</summary>
    public string ModuleId => string.Create(CultureInfo.InvariantCulture, $"gateway-client-{_number:x12}");

    /// <summary>What it has acked.</summary>
    public AckState Acks => Volatile.Read(ref _acks) ?? Interlocked.CompareExchange(ref _acks, new AckState(), null) ?? _acks;

    /// <summary>Its place in the line of those that haven't authenticated.</summary>
    public LinkedListNode<GatewayConnection>? Waiting { get; set; }

    /// <summary>Told that it is to go; its end comes on its own.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>Since when it hasn't called.</summary>
    public TimeSpan Idle => time.GetElapsedTime(Volatile.Read(ref _lastCallAt));

    /// <summary>For how long it has been there.</summary>
    public TimeSpan Age => time.GetElapsedTime(_openedAt);

    /// <summary>It has called.</summary>
    public void Called() => Volatile.Write(ref _lastCallAt, time.GetTimestamp());

    /// <summary>Takes the nonce, once.</summary>
    public bool TakeNonce(string? named)
    {
        var isOwn = Nonce is { } own && named is not null
            && System.Security.Cryptography.CryptographicOperations.FixedTimeEquals(System.Text.Encoding.UTF8.GetBytes(own), System.Text.Encoding.UTF8.GetBytes(named));
        Nonce = null;
        return isOwn;
    }

    /// <summary>It is somebody's now.</summary>
    public void Connect(SlotKey key, ConnectRequest request, string protocol, long at)
    {
        Key = key;
        IsLong = request.IsLong;
        Mode = request.Mode;
        IdleTime = request.IdleTime;
        Protocol = protocol;
        ConnectedAt = at;
        Called();
    }

    /// <summary>True when it is an instance of this slot; one without a device is only itself.</summary>
    public bool Is(SlotKey key) => key.Device.Length > 0 && Key == key;
}
