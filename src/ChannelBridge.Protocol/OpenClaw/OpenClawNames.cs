using System.Collections.Frozen;

namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>Fixed names of the OpenClaw protocol, version 4.</summary>
public static class OpenClawNames
{
    /// <summary>The protocol's version.</summary>
    public const int Protocol = 4;

    /// <summary>The largest frame before authentication, in bytes.</summary>
    public const int MaxPreauthPayload = 65_536;

    /// <summary>The event that the server sends first.</summary>
    public const string ChallengeEvent = "connect.challenge";

    /// <summary>The periodic event.</summary>
    public const string TickEvent = "tick";

    /// <summary>The event before a restart.</summary>
    public const string ShutdownEvent = "shutdown";

    /// <summary>The first request.</summary>
    public const string ConnectMethod = "connect";

    /// <summary>The client ids that the gateway knows.</summary>
    public static FrozenSet<string> ClientIds { get; } = FrozenSet.ToFrozenSet([
        "webchat-ui", "openclaw-control-ui", "openclaw-browser-copilot", "openclaw-tui", "webchat", "cli", "gateway-client", "openclaw-macos",
        "openclaw-linux", "openclaw-ios", "openclaw-watchos", "openclaw-android", "node-host", "openclaw-worker", "test", "fingerprint",
        "openclaw-probe",
    ]);

    /// <summary>The client modes that the gateway knows.</summary>
    public static FrozenSet<string> ClientModes { get; } =
        FrozenSet.ToFrozenSet(["webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"]);

    /// <summary>Codes in <c>error.details.code</c> of a refused <c>connect</c>.</summary>
    public static class ConnectErrors
    {
        /// <summary>No common protocol version.</summary>
        public const string ProtocolMismatch = "PROTOCOL_MISMATCH";

        /// <summary>No token was given.</summary>
        public const string TokenMissing = "AUTH_TOKEN_MISSING";

        /// <summary>The token is unknown.</summary>
        public const string TokenMismatch = "AUTH_TOKEN_MISMATCH";

        /// <summary>Only a password was given.</summary>
        public const string PasswordMismatch = "AUTH_PASSWORD_MISMATCH";

        /// <summary>Only a device token was given.</summary>
        public const string DeviceTokenMismatch = "AUTH_DEVICE_TOKEN_MISMATCH";

        /// <summary>Only a set-up code was given.</summary>
        public const string BootstrapTokenInvalid = "AUTH_BOOTSTRAP_TOKEN_INVALID";

        /// <summary>Too many failed attempts.</summary>
        public const string RateLimited = "AUTH_RATE_LIMITED";

        /// <summary>The token has none of the scopes that were asked for.</summary>
        public const string ScopeMismatch = "AUTH_SCOPE_MISMATCH";

        /// <summary>The device isn't approved for what it asks for; <c>requestId</c> names the request that waits.</summary>
        public const string PairingRequired = "PAIRING_REQUIRED";

        /// <summary>The client must have a device identity.</summary>
        public const string DeviceRequired = "DEVICE_IDENTITY_REQUIRED";

        /// <summary>What the codes of an invalid device identity begin with.</summary>
        public const string DevicePrefix = "DEVICE_AUTH_";

        /// <summary>The device's nonce is blank.</summary>
        public const string DeviceNonceRequired = "DEVICE_AUTH_NONCE_REQUIRED";

        /// <summary>The device signed another nonce than the challenge's.</summary>
        public const string DeviceNonceMismatch = "DEVICE_AUTH_NONCE_MISMATCH";

        /// <summary>The device's signature isn't one of its key over what it asks for.</summary>
        public const string DeviceSignatureInvalid = "DEVICE_AUTH_SIGNATURE_INVALID";

        /// <summary>The device signed too long ago, or in the future.</summary>
        public const string DeviceSignatureExpired = "DEVICE_AUTH_SIGNATURE_EXPIRED";

        /// <summary>The device's id isn't its key's.</summary>
        public const string DeviceIdMismatch = "DEVICE_AUTH_DEVICE_ID_MISMATCH";

        /// <summary>The device's key isn't an Ed25519 key, or one that can't be trusted.</summary>
        public const string DevicePublicKeyInvalid = "DEVICE_AUTH_PUBLIC_KEY_INVALID";
    }
}
