namespace ChannelBridge.Host.Composition;

/// <summary>Where the host is in its life; for readiness and diagnostics.</summary>
internal sealed class HostState(TimeProvider time)
{
    private volatile bool _listening;
    private volatile bool _stopping;

    /// <summary>When the process began to compose the host (UTC).</summary>
    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    /// <summary>True while every listener is up.</summary>
    public bool IsListening => _listening && !_stopping;

    /// <summary>True once a stop has begun.</summary>
    public bool IsStopping => _stopping;

    /// <summary>The listeners are up.</summary>
    public void Listening() => _listening = true;

    /// <summary>A stop has begun.</summary>
    public void Stopping() => _stopping = true;
}
