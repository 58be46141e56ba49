using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Endpoints;

/// <summary>The keys of the doors' limits.</summary>
internal static class EndpointSettings
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    /// <summary>The keys.</summary>
    public static readonly SettingGroup<EndpointLimits> Limits = new SettingGroup<EndpointLimits>("Limits:")
        .Size("MaxPayloadBytes", 1024, 1 << 30, o => o.MaxPayloadBytes, (o, v) => o.MaxPayloadBytes = (int)v, "The largest message from a client after it authenticated")
        .Size("MaxPreauthPayloadBytes", 1024, 1 << 24, o => o.MaxPreauthPayloadBytes, (o, v) => o.MaxPreauthPayloadBytes = (int)v, "The largest message before")
        .Size("MaxBufferedBytes", 1 << 16, 1 << 30, o => o.MaxBufferedBytes, (o, v) => o.MaxBufferedBytes = (int)v, "What may wait for a client that reads slowly")
        .Size("MessageMemory", 1 << 20, 1L << 40, o => o.MessageMemory, (o, v) => o.MessageMemory = v,
            "Memory for larger messages of all connections together, apart for those that arrive and those that wait for slow clients; beyond it `BUSY`")
        .Duration("SlowConsumerTimeout", Second, Hour, o => o.SlowConsumerTimeout, (o, v) => o.SlowConsumerTimeout = v, "How long a client with a full buffer may read nothing")
        .Duration("PreauthTimeout", Second, Hour, o => o.PreauthTimeout, (o, v) => o.PreauthTimeout = v, "How long a client has to authenticate")
        .Duration("MessageTimeout", Second, Hour, o => o.MessageTimeout, (o, v) => o.MessageTimeout = v, "How long a message may take to arrive, beside `MinBytesPerSecond`")
        .Size("MinBytesPerSecond", 1, 1 << 30, o => o.MinBytesPerSecond, (o, v) => o.MinBytesPerSecond = (int)v,
            "The slowest sender of large messages that is waited for, in a second")
        .Number("MaxRequestsInFlight", 1, 1 << 20, o => o.MaxRequestsInFlight, (o, v) => o.MaxRequestsInFlight = (int)v, "Requests of one connection at the same time")
        .Number("MaxPeerRequestsInFlight", 1, 1 << 20, o => o.MaxPeerRequestsInFlight, (o, v) => o.MaxPeerRequestsInFlight = (int)v, "The same for the OpenClaw plugin's link")
        .Size("MaxRequestBytesInFlight", 1 << 16, 1 << 30, o => o.MaxRequestBytesInFlight, (o, v) => o.MaxRequestBytesInFlight = (int)v,
            "Bytes of one connection's running requests together")
        .Number("MaxCallsInFlight", 1, 1 << 20, o => o.MaxCallsInFlight, (o, v) => o.MaxCallsInFlight = (int)v, "Calls of the host to one peer that wait for their answer")
        .Number("MaxBatchItems", 1, 100_000, o => o.MaxBatchItems, (o, v) => o.MaxBatchItems = (int)v, "Messages in one JSON-RPC batch")
        .Number("MaxJsonDepth", 1, 256, o => o.MaxJsonDepth, (o, v) => o.MaxJsonDepth = (int)v, "The deepest nesting of a message")
        .Size("MaxStringBytes", 1024, 1 << 30, o => o.MaxStringBytes, (o, v) => o.MaxStringBytes = (int)v, "The longest string in a message")
        .Number("MaxMembersPerObject", 16, 1_000_000, o => o.MaxMembersPerObject, (o, v) => o.MaxMembersPerObject = (int)v, "Members of one object")
        .Number("MaxValues", 16, 10_000_000, o => o.MaxValues, (o, v) => o.MaxValues = (int)v, "Values of one message")
        .Number("MaxConnections", 1, 1_000_000, o => o.MaxConnections, (o, v) => o.MaxConnections = (int)v, "Open connections of all doors")
        .Number("MaxConnectionsPerAddress", 1, 1_000_000, o => o.MaxConnectionsPerAddress, (o, v) => o.MaxConnectionsPerAddress = (int)v,
            "Open connections of one remote address; loopback is exempt")
        .Number("MaxUnauthenticatedConnections", 1, 1_000_000, o => o.MaxUnauthenticatedConnections, (o, v) => o.MaxUnauthenticatedConnections = (int)v,
            "Connections that haven't authenticated yet")
        .Number("RequestsPerSecondPerToken", 0, 10_000_000, o => (long)o.RequestsPerSecondPerToken, (o, v) => o.RequestsPerSecondPerToken = v,
            "Requests per second of one token; 0 for no limit")
        .Number("RequestsPerSecondPerAddress", 0, 10_000_000, o => (long)o.RequestsPerSecondPerAddress, (o, v) => o.RequestsPerSecondPerAddress = v,
            "Requests per second of one remote address; 0 for no limit; loopback is exempt")
        .Number("RequestBurstSeconds", 1, 3600, o => (long)o.RequestBurstSeconds, (o, v) => o.RequestBurstSeconds = v, "How many seconds' worth of requests may come at once")
        .Number("AuthFailuresPerMinute", 1, 100_000, o => (long)o.AuthFailuresPerMinute, (o, v) => o.AuthFailuresPerMinute = v,
            "Wrong tokens per minute of one remote address; loopback is exempt")
        .Flag("LimitLoopback", o => o.LimitLoopback, (o, v) => o.LimitLoopback = v, "True: the limits per address hold for loopback, too")
        .Duration("KeepAliveInterval", Second, Hour, o => o.KeepAliveInterval, (o, v) => o.KeepAliveInterval = v, "The time between two WebSocket pings")
        .Duration("KeepAliveTimeout", Second, Hour, o => o.KeepAliveTimeout, (o, v) => o.KeepAliveTimeout = v, "How long the answer to a ping may take")
        .Duration("TickInterval", Second, Hour, o => o.TickInterval, (o, v) => o.TickInterval = v, "The time between two `tick` events")
        .Duration("StopTimeout", TimeSpan.Zero, Hour, o => o.StopTimeout, (o, v) => o.StopTimeout = v,
            "How long running requests may take at a stop; less than `Listen:StopTimeout`")
        .Duration("CloseTimeout", TimeSpan.FromMilliseconds(100), Hour, o => o.CloseTimeout, (o, v) => o.CloseTimeout = v, "How long a connection may take to close in order");
}
