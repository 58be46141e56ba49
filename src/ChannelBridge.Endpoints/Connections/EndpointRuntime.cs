using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Endpoints.Contributed;
using ChannelBridge.Endpoints.Limits;
using ChannelBridge.Endpoints.Router;
using ChannelBridge.Protocol.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>What every connection needs, in one place.</summary>
internal sealed class EndpointRuntime(
    MethodRouter router,
    ITokenAuthority tokens,
    IOptions<EndpointLimits> limits,
    IOptions<EndpointOptions> options,
    TimeProvider time,
    ILoggerFactory loggers,
    IRegistry registry,
    IAccessAudit? audit = null,
    DevicePairing? devices = null)
{
    /// <summary>True when a channel takes binary messages.</summary>
    public bool TakesBinary => registry.Current.Of<IBinaryReceiver>().Count > 0;

    /// <summary>The methods.</summary>
    public MethodRouter Router { get; } = router;

    /// <summary>The access tokens.</summary>
    public ITokenAuthority Tokens { get; } = tokens;

    /// <summary>The devices; null at a host that has no store for them: a device comes in by its access token then.</summary>
    public DevicePairing? Devices { get; } = devices;

    /// <summary>The bounds.</summary>
    public EndpointLimits Limits { get; } = limits.Value;

    /// <summary>The settings.</summary>
    public EndpointOptions Options { get; } = options.Value;

    /// <summary>The bounds on one message.</summary>
    public JsonLimits Json { get; } = limits.Value.ToJsonLimits();

    /// <summary>Memory for messages of authenticated clients, while they arrive and until their requests have ended.</summary>
    public MemoryBudget IncomingMemory { get; } = new(limits.Value.MessageMemory);

    /// <summary>The same for clients that haven't authenticated: they can't take it from the others.</summary>
    public MemoryBudget PreauthMemory { get; } = new(limits.Value.MessageMemory / 8);

    /// <summary>Memory for messages that wait for slow clients.</summary>
    public MemoryBudget OutgoingMemory { get; } = new(limits.Value.MessageMemory);

    /// <summary>The rates.</summary>
    public RateLimits Rates => Attempts.Rates;

    /// <summary>Failed attempts to authenticate.</summary>
    public AccessAttempts Attempts { get; } = new(new RateLimits(limits.Value, time), audit);

    /// <summary>What channels' endpoints serve at the moment.</summary>
    public OpenExchanges Exchanges { get; } = new();

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; } = time;

    /// <summary>The open connections.</summary>
    public ConnectionRegistry Connections { get; } = new(limits.Value);

    /// <summary>The log of the connections.</summary>
    public ILogger Logger { get; } = loggers.CreateLogger("ChannelBridge.Endpoints.Connections");

    /// <summary>New at each start of the host.</summary>
    public string BootId { get; } = Guid.NewGuid().ToString("N");

    /// <summary>
    /// Who takes a binary message: the channel that its header names, or the only one that takes any. Null: it is refused.
    /// </summary>
    public IBinaryReceiver? ReceiverOf(ReadOnlySpan<byte> message)
    {
        var receivers = registry.Current.Of<IBinaryReceiver>();
        if (receivers.Count < 2) return receivers is [var only] ? only : null;
        var channel = BinaryMessage.ChannelOf(message);
        return receivers.FirstOrDefault(receiver => string.Equals(receiver.Channel, channel ?? "bncr", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Who knows the scheme that a request authenticates by, where that isn't a bearer; or null.</summary>
    public IRequestAuthenticator? AuthenticatorOf(HttpRequest request, out string credentials)
    {
        credentials = "";
        var header = request.Headers.Authorization.ToString();
        var end = header.IndexOf(' ', StringComparison.Ordinal);
        if (end <= 0) return null;
        var scheme = header.AsSpan(0, end);
        foreach (var known in registry.Current.Of<IRequestAuthenticator>())
        {
            if (!scheme.Equals(known.Scheme, StringComparison.OrdinalIgnoreCase)) continue;
            credentials = header[(end + 1)..].Trim();
            return known;
        }

        return null;
    }
}
