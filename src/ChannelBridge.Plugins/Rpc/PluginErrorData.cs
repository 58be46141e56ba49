using System.Text.Json;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>The <c>data</c> of an error on the wire: what a program needs to decide, and nothing of the platform that raised it.</summary>
public sealed record PluginErrorData
{
    /// <summary>The stable code, e.g. <c>BUSY</c>.</summary>
    public string? Code { get; init; }

    /// <summary>True when the same call may succeed later without a change.</summary>
    public bool Retryable { get; init; }

    /// <summary>How long to wait before the next try, in milliseconds, when known.</summary>
    public long? RetryAfterMs { get; init; }

    /// <summary>Structured details, or null.</summary>
    public JsonElement? Details { get; init; }
}
