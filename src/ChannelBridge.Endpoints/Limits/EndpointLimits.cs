using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Endpoints;

/// <summary>
/// The bounds of every door (section <c>Limits</c>). What passes one gets a coded error or is closed with a reason; memory never grows with what a
/// peer sends.
/// </summary>
public sealed class EndpointLimits
{
    /// <summary>The largest message after authentication, in bytes; default 26,214,400, announced as <c>policy.maxPayload</c>.</summary>
    public int MaxPayloadBytes { get; set; } = 26_214_400;

    /// <summary>The largest message before authentication, in bytes; default 65,536. A larger one closes the connection (1009).</summary>
    public int MaxPreauthPayloadBytes { get; set; } = 65_536;

    /// <summary>
    /// How much may wait for a slow client, in bytes; default 52,428,800, announced as <c>policy.maxBufferedBytes</c>. Beyond it pushes are refused,
    /// and the connection is closed (1008 <c>slow consumer</c>) when an answer doesn't fit or nothing has left for <see cref="SlowConsumerTimeout"/>.
    /// </summary>
    public int MaxBufferedBytes { get; set; } = 52_428_800;

    /// <summary>
    /// Memory for the messages of all connections together, in bytes; default 536,870,912. It holds once for messages that arrive and run, and once
    /// for messages that wait for slow clients; clients that haven't authenticated have an eighth of it for themselves. Ordinary messages (4 KiB in,
    /// 16 KiB waiting, for each connection) aren't counted. When it is taken, a larger message is read past and answered <c>BUSY</c> (retryable),
    /// and a client that reads too slowly gets no more pushes until it has read.
    /// </summary>
    public long MessageMemory { get; set; } = 512L * 1024 * 1024;

    /// <summary>How long a client with a full buffer may read nothing; default 5 s.</summary>
    public TimeSpan SlowConsumerTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a client has to authenticate; default 30 s.</summary>
    public TimeSpan PreauthTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a message may take from its first byte to its last; default 30 s, and in addition one second for each
    /// <see cref="MinBytesPerSecond"/> of it that have arrived. A slower sender is closed (1008 <c>message timeout</c>).
    /// </summary>
    public TimeSpan MessageTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The slowest sender of large messages that is waited for, in bytes per second; default 16,384.</summary>
    public int MinBytesPerSecond { get; set; } = 16_384;

    /// <summary>
    /// Requests of one connection that may run at the same time; default 256. The host reads no further message of that connection until one has
    /// ended, so the sender is slowed down and nothing is lost.
    /// </summary>
    public int MaxRequestsInFlight { get; set; } = 256;

    /// <summary>
    /// The same for a connection that the host itself calls over (the link): it must go on reading, or it could never get its answers. Further
    /// requests are answered <c>BUSY</c>. Default 4,096.
    /// </summary>
    public int MaxPeerRequestsInFlight { get; set; } = 4096;

    /// <summary>Bytes of one connection's running requests together; default 67,108,864. Works like the two limits on their number.</summary>
    public int MaxRequestBytesInFlight { get; set; } = 67_108_864;

    /// <summary>Calls of the host over one connection that wait for their answer; default 4,096, then <c>BUSY</c>.</summary>
    public int MaxCallsInFlight { get; set; } = 4096;

    /// <summary>Messages in one JSON-RPC batch; default 256.</summary>
    public int MaxBatchItems { get; set; } = 256;

    /// <summary>The deepest nesting of a message; 1 to 128, default 64.</summary>
    public int MaxJsonDepth { get; set; } = 64;

    /// <summary>The longest string in a message, in bytes; default 26,214,400.</summary>
    public int MaxStringBytes { get; set; } = 26_214_400;

    /// <summary>Members of one object; default 4,096.</summary>
    public int MaxMembersPerObject { get; set; } = 4096;

    /// <summary>Values of one message, members and items together; default 100,000.</summary>
    public int MaxValues { get; set; } = 100_000;

    /// <summary>Open connections of all doors; default 20,000. Beyond it a WebSocket is refused with 503.</summary>
    public int MaxConnections { get; set; } = 20_000;

    /// <summary>Open connections of one remote address; default 2,000. Loopback addresses are exempt.</summary>
    public int MaxConnectionsPerAddress { get; set; } = 2000;

    /// <summary>Connections that haven't authenticated yet; default 16,384.</summary>
    public int MaxUnauthenticatedConnections { get; set; } = 16_384;

    /// <summary>Requests per second of one token over all its connections; default 0: off.</summary>
    public double RequestsPerSecondPerToken { get; set; }

    /// <summary>Requests per second of one remote address; default 2,000, 0 is off. Loopback addresses are exempt.</summary>
    public double RequestsPerSecondPerAddress { get; set; } = 2000;

    /// <summary>How many seconds' worth of requests may come at once; default 2.</summary>
    public double RequestBurstSeconds { get; set; } = 2;

    /// <summary>
    /// Failed authentications of one remote address per minute; default 10, 0 is off. Beyond it tokens of that address aren't even looked at, until
    /// time has passed. Loopback addresses are exempt.
    /// </summary>
    public double AuthFailuresPerMinute { get; set; } = 10;

    /// <summary>Also apply the limits per address to loopback addresses; default false.</summary>
    public bool LimitLoopback { get; set; }

    /// <summary>The time between two WebSocket pings; default 15 s.</summary>
    public TimeSpan KeepAliveInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long an answer to a ping may take before the connection counts as dead; default 15 s.</summary>
    public TimeSpan KeepAliveTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The time between two <c>tick</c> events; default 30 s, announced as <c>policy.tickIntervalMs</c>.</summary>
    public TimeSpan TickInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long running requests may take when the host stops; default 10 s.</summary>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection may take to close in order; default 2 s.</summary>
    public TimeSpan CloseTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The bounds on one message's shape.</summary>
    internal JsonLimits ToJsonLimits() => new()
    {
        MaxDepth = Math.Clamp(MaxJsonDepth, 1, JsonLimits.DepthCeiling),
        MaxStringBytes = MaxStringBytes,
        MaxMembersPerObject = MaxMembersPerObject,
        MaxValues = MaxValues,
    };
}
