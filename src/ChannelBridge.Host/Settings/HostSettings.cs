using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Agents;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Endpoints;
using LinkOptions = ChannelBridge.OpenClaw.LinkOptions;

namespace ChannelBridge.Host.Settings;

/// <summary>The host's own settings, validated. Parts of the host read theirs from <see cref="Configuration"/>.</summary>
internal sealed record HostSettings
{
    /// <summary>The merged configuration.</summary>
    public required IConfiguration Configuration { get; init; }

    /// <summary>The same for those who read settings from it, the channels among them.</summary>
    public required ISettingsSource Source { get; init; }

    /// <summary>What the defaults of channels depend on.</summary>
    public required HostFacts Facts { get; init; }

    /// <summary>The data folder, absolute.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>The addresses of the own listener; empty when there is none.</summary>
    public required IReadOnlyList<string> Urls { get; init; }

    /// <summary>The Unix socket's path, or null when it is off.</summary>
    public required string? Socket { get; init; }

    /// <summary>True when JSON-RPC is spoken on standard input and output.</summary>
    public bool Stdio { get; init; }

    /// <summary>True when the end of standard input stops the host, because the program that started it is gone then.</summary>
    public bool Managed { get; init; }

    /// <summary>Further origins of browser pages that may connect.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = [];

    /// <summary>The addresses on which only some channels' endpoints answer.</summary>
    public IReadOnlyList<OwnAddress> Addresses { get; init; } = [];

    /// <summary>The networks of proxies that are believed.</summary>
    public IReadOnlyList<System.Net.IPNetwork> TrustedProxies { get; init; } = [];

    /// <summary>Further names of this host on loopback addresses.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>The limits of the doors.</summary>
    public required EndpointLimits Limits { get; init; }

    /// <summary>The PEM file of the certificate for https addresses, or null.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>The PEM file of its private key, or null when it is in the same file.</summary>
    public string? CertificateKeyFile { get; init; }

    /// <summary>How long a stop may take.</summary>
    public required TimeSpan StopTimeout { get; init; }

    /// <summary>The first token, or null when it is read from the data folder or made.</summary>
    public string? FirstToken { get; init; }

    /// <summary>The file with the key that secrets in the store are sealed with.</summary>
    public required string SealKeyFile { get; init; }

    /// <summary>The further tokens.</summary>
    public required IReadOnlyList<AccessToken> Tokens { get; init; }

    /// <summary>How devices come in.</summary>
    public DeviceOptions Devices { get; init; } = new();

    /// <summary>The agent that answers messages of the own listener.</summary>
    public required string Agent { get; init; }

    /// <summary>The agents behind a URL.</summary>
    public IReadOnlyList<ProviderOptions> Agents { get; init; } = [];

    /// <summary>Bounds and schedules of the durable core.</summary>
    public required MessagingOptions Messaging { get; init; }

    /// <summary>Bounds and times of responses.</summary>
    public required ResponseOptions Responses { get; init; }

    /// <summary>Which store, and its settings.</summary>
    public required StoreChoice Store { get; init; }

    /// <summary>The spool and the limits of file transfers.</summary>
    public required TransferOptions Files { get; init; }

    /// <summary>The settings of the link to the OpenClaw plugin.</summary>
    public required LinkOptions Link { get; init; }

    /// <summary>Where telemetry goes, or null.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>What is logged.</summary>
    public LogLevel LogLevel { get; init; }

    /// <summary>Unknown keys, each with the nearest known one.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
