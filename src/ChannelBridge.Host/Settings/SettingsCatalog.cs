using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Endpoints;
using ChannelBridge.Host.Composition;
using ChannelBridge.OpenClaw;

namespace ChannelBridge.Host.Settings;

/// <summary>Every key that the host knows. The table in <c>docs/operations.md</c> is checked against it by a test.</summary>
internal static class SettingsCatalog
{
    /// <summary>The keys, in the order of the documentation.</summary>
    public static readonly IReadOnlyList<Setting> All =
    [
        .. HostKeys(), .. LinkSettings.Keys.Settings, .. AgentSettings.Named, .. AgentSettings.Keys.Settings, .. StoreSettings.Connection,
        .. StoreSettings.Keys, .. TransferSettings.Keys.Settings, .. HostComposition.ChannelSettings.SelectMany(channel => channel.Settings),
        .. PluginConfiguration.Keys, .. ResponseSettings.Keys.Settings, .. MessagingSettings.Limits.Settings, .. EndpointSettings.Limits.Settings,
    ];

    /// <summary>The same, to find the setting of a key.</summary>
    public static SettingsIndex Index { get; } = new(All);

    private static Setting[] HostKeys() =>
    [
        new("Listen:Urls", Defaults.Url, "Addresses of the own listener, separated by `;`; `off` for none.", "http://127.0.0.1:7788") { Option = "--urls",
            Kind = SettingKind.List },
        new("Listen:Socket", "DATA/channelbridge.sock", "The Unix socket for local tools and the OpenClaw plugin; `off` for none.",
            "/run/channelbridge/channelbridge.sock") { Option = "--socket" },
        new("Listen:Stdio", "false", "Speak JSON-RPC on standard input and output; the end of input stops the host.", "true") { Option = "--stdio", Kind = SettingKind.Flag },
        new("Listen:Managed", "false",
            "The host belongs to the program that started it: the end of standard input stops it, and the token that it makes isn't shown.",
            "true") { Option = "--managed", Kind = SettingKind.Flag },
        new("Listen:AllowedOrigins", "the host itself and loopback", "Further origins of browser pages that may connect; `*` for every page.",
            "https://ops.example.org") { Kind = SettingKind.List },
        new("Listen:CertificateFile", "none", "PEM file with the certificate (chain) for https addresses.", "/etc/channelbridge/tls.crt"),
        new("Listen:CertificateKeyFile", "none", "PEM file with the private key; none when the certificate's file holds it.", "/etc/channelbridge/tls.key"),
        .. OwnAddress.Keys,
        .. ProxySettings.Keys,
        new("Listen:StopTimeout", "25s", "The longest time from the signal to the end of a stop (1s…10m).", "25s") { Kind = SettingKind.Duration },
        new("Access:Token", "made at the first start", "The first token, which has every scope; printable ASCII without spaces, 16 characters or more.",
            "a-long-random-text") { Option = "--token", IsSecret = true },
        new("Access:TokenFile", "none", "A file whose first line is the first token.", "/run/secrets/channelbridge-token") { Option = "--token-file" },
        new("Access:SealKeyFile", "DATA/key",
            "The file with the key that secrets in the store are sealed with, made at first use; hosts of one store name one file.", "/etc/channelbridge/seal.key"),
        new("Access:Tokens:<name>:Token", "none", "A further token; printable ASCII without spaces, 16 characters or more.", "another-long-random-text") { IsSecret = true },
        new("Access:Tokens:<name>:TokenFile", "none", "A file whose first line is the token.", "/run/secrets/bridge-qq"),
        new("Access:Tokens:<name>:TokenHash", "none", "The token's SHA-256 in hexadecimal.", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        new("Access:Tokens:<name>:Scopes", "operator.read, operator.write",
            "What it allows: `operator.read`, `operator.write`, `operator.admin`, `link`; `peer` for a channel's endpoints only.",
            "operator.write") { Kind = SettingKind.List },
        new("Access:Tokens:<name>:Channels", "every channel", "The channels that it is limited to.", "a2a") { Kind = SettingKind.List },
        new("Access:Tokens:<name>:Platforms", "every platform", "The platforms that it is limited to.", "qq") { Kind = SettingKind.List },
        new("Access:Tokens:<name>:Methods", "every method", "The methods that it is limited to; `bncr.*` for all that begin so.",
            "bncr.*, diagnostics") { Kind = SettingKind.List },
        new("Access:Tokens:<name>:Accounts", "every account", "The accounts that it is limited to.", "Primary, shop") { Kind = SettingKind.List },
        .. TokenSettings.Devices.Settings,
        new("Store:Data", Defaults.DataDirectoryText, "The data folder, made owner-only (0700).", "/var/lib/channelbridge") { Option = "--data" },
        new("Agents:Default", "echo", "The agent that answers messages of the own listener: `echo`, `openclaw`, or one of `Agents:<name>`.", "openclaw") { Option = "--agent" },
        new("Telemetry:Otlp", "none", "Where logs, traces and metrics go: an OTLP/HTTP endpoint.", "http://127.0.0.1:4318") { Option = "--otlp" },
        new("Telemetry:LogLevel", "Information", "What is logged: Trace, Debug, Information, Warning, Error, Critical, None.",
            "Debug") { Option = "--log-level", Kind = SettingKind.Choice },
    ];
}
