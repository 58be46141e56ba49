using ChannelBridge.Client.Devices;

namespace ChannelBridge.Client;

/// <summary>How a client reaches a host and how patient it is. Validated when the client is made; each problem names the option.</summary>
public sealed class ChannelBridgeClientOptions
{
    /// <summary>
    /// Where the host is. Default <c>ws://127.0.0.1:7788</c>.
    /// <list type="bullet">
    /// <item><c>ws://</c> or <c>wss://</c> (also <c>http://</c>, <c>https://</c>): the OpenClaw dialect; with the path <c>/rpc</c>, JSON-RPC 2.0.</item>
    /// <item><c>unix:/path/channelbridge.sock</c>: JSON-RPC 2.0 on the host's Unix socket; reading and writing need no token there.</item>
    /// <item><c>pipe:name</c>: the same on a named pipe.</item>
    /// </list>
    /// </summary>
    public string Endpoint { get; set; } = "ws://127.0.0.1:7788";

    /// <summary>The access token. Default none. Never logged.</summary>
    public string? Token { get; set; }

    /// <summary>A file whose first line is the token, read anew at every connect, so that a changed token needs no restart. Default none.</summary>
    public string? TokenFile { get; set; }

    /// <summary>
    /// Who this client is: a key of its own, which a gateway or host pairs. Default none; the token alone counts then. Only on <c>ws://</c> and <c>wss://</c> without
    /// <c>/rpc</c>. The package <c>ChannelBridge.Client.Identity</c> brings one in a file.
    /// </summary>
    public IDeviceIdentity? Identity { get; set; }

    /// <summary>
    /// A device token to connect with when there is no <see cref="Token"/>; it goes before the one that <see cref="Identity"/> keeps. Default none. Never logged.
    /// </summary>
    public string? DeviceToken { get; set; }

    /// <summary>
    /// The SHA-256 of the certificate of a <c>wss://</c> endpoint, 64 hex digits, with or without colons: that certificate alone is accepted then, whoever issued
    /// it. Default none: the system's rules.
    /// </summary>
    public string? TlsFingerprint { get; set; }

    /// <summary>
    /// True (default): a device that must be approved first is waited for, as long as it takes, in <see cref="ClientState.WaitingForApproval"/>. False: it is a
    /// failure with <see cref="ClientErrorCodes.PairingRequired"/>.
    /// </summary>
    public bool WaitForApproval { get; set; } = true;

    /// <summary>How often a device that waits for its approval asks. Default 3 s.</summary>
    public TimeSpan ApprovalPoll { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a gateway that says that it still starts is waited for, at the first connect, too. Default 2 minutes.</summary>
    public TimeSpan StartPatience { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>The kind of device, bound to its identity, e.g. <c>server</c>. Default none.</summary>
    public string? DeviceFamily { get; set; }

    /// <summary>What the client is, one of the gateway's client ids. Default <c>gateway-client</c>.</summary>
    public string ClientId { get; set; } = "gateway-client";

    /// <summary>How the client works, one of the gateway's modes. Default <c>backend</c>.</summary>
    public string ClientMode { get; set; } = "backend";

    /// <summary>The version that the client tells. Default <c>1.0.0</c>.</summary>
    public string ClientVersion { get; set; } = "1.0.0";

    /// <summary>A name for people in the host's diagnostics, or null.</summary>
    public string? DisplayName { get; set; }

    /// <summary>
    /// The scopes that are asked for. Default <c>operator.read</c> and <c>operator.write</c>. Empty: those that were approved with the stored device token, or
    /// all that the token has.
    /// </summary>
    public IList<string> Scopes { get; set; } = ["operator.read", "operator.write"];

    /// <summary>How long one try to connect and authenticate may take. Default 10 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a call waits for a connection and its answer together. Default 30 s.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>False: a lost connection ends the client. Default true.</summary>
    public bool Reconnect { get; set; } = true;

    /// <summary>True: the first connect, too, is tried until it succeeds or is refused for good. Default false: its failure is thrown.</summary>
    public bool RetryFirstConnect { get; set; }

    /// <summary>
    /// The upper bound of the wait before the first reconnect; it doubles with every failure. The wait itself is random between zero and the bound, so
    /// that many clients of a restarted host don't come back in step. Default 0.5 s.
    /// </summary>
    public TimeSpan ReconnectDelay { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The largest bound. Default 30 s.</summary>
    public TimeSpan MaxReconnectDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a connection must last before the bound falls back to <see cref="ReconnectDelay"/>: a host that accepts and closes at once must not be
    /// stormed. Default 30 s.
    /// </summary>
    public TimeSpan StableAfter { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Events that one subscription holds for its reader, 1…1,048,576; more are counted in <see cref="ClientEvent.Missed"/>. Default 1,024.</summary>
    public int EventBuffer { get; set; } = 1024;

    /// <summary>Calls that wait at the same time, 1…1,048,576; more fail with <c>BUSY</c>. Default 4,096.</summary>
    public int MaxPendingCalls { get; set; } = 4096;

    /// <summary>The largest message from the host, in bytes. Default 64 MiB.</summary>
    public int MaxMessageBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>How often a WebSocket is pinged; without an answer within the same time it counts as broken. Default 15 s.</summary>
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>What is wrong; empty when nothing is.</summary>
    internal IReadOnlyList<string> Validate()
    {
        var problems = new List<string>();
        if (!Internal.Endpoint.TryParse(Endpoint, out var endpoint, out var wrong)) problems.Add($"Endpoint: {wrong}; example: ws://127.0.0.1:7788");
        if (Token is not null && TokenFile is not null) problems.Add("TokenFile: Token is set, too; choose one of them");
        if (string.IsNullOrWhiteSpace(ClientId)) problems.Add("ClientId: must not be empty; example: gateway-client");
        if (string.IsNullOrWhiteSpace(ClientMode)) problems.Add("ClientMode: must not be empty; example: backend");
        if (string.IsNullOrWhiteSpace(ClientVersion)) problems.Add("ClientVersion: must not be empty; example: 1.0.0");
        if (Identity is not null && endpoint is { Kind: not Internal.EndpointKind.OpenClaw })
            problems.Add("Identity: JSON-RPC knows no device identities; use ws:// or wss:// without /rpc");
        if (TlsFingerprint is not null && !Internal.Fingerprint.TryParse(TlsFingerprint, out _))
            problems.Add("TlsFingerprint: must be the SHA-256 of a certificate; example: 64 hex digits, as openssl x509 -fingerprint -sha256 prints them");
        else if (TlsFingerprint is not null && endpoint?.Address.StartsWith("wss:", StringComparison.Ordinal) == false)
            problems.Add("TlsFingerprint: only a wss:// endpoint has a certificate");
        if (Scopes is null) problems.Add("Scopes: must not be null; example: operator.read");
        Positive(nameof(ConnectTimeout), ConnectTimeout);
        Positive(nameof(CallTimeout), CallTimeout);
        Positive(nameof(ReconnectDelay), ReconnectDelay);
        Positive(nameof(MaxReconnectDelay), MaxReconnectDelay);
        Positive(nameof(StableAfter), StableAfter);
        Positive(nameof(KeepAlive), KeepAlive);
        Positive(nameof(ApprovalPoll), ApprovalPoll);
        Positive(nameof(StartPatience), StartPatience);
        if (MaxReconnectDelay < ReconnectDelay) problems.Add("MaxReconnectDelay: must not be below ReconnectDelay; example: 00:00:30");
        Between(nameof(EventBuffer), EventBuffer, 1, 1 << 20);
        Between(nameof(MaxPendingCalls), MaxPendingCalls, 1, 1 << 20);
        Between(nameof(MaxMessageBytes), MaxMessageBytes, 1 << 16, 1 << 30);
        return problems;

        void Positive(string name, TimeSpan value)
        {
            if (value <= TimeSpan.Zero || value > TimeSpan.FromDays(1)) problems.Add($"{name}: must be above zero and at most a day; example: 00:00:10");
        }

        void Between(string name, int value, int minimum, int maximum)
        {
            if (value < minimum || value > maximum) problems.Add($"{name}: must be between {minimum} and {maximum}");
        }
    }
}
