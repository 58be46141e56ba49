using System.Diagnostics.CodeAnalysis;
using ChannelBridge.Abstractions.Endpoints;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>One source while its endpoints answer; what it serves ends with it.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source of the token has neither timer nor wait handle; its token outlives the life.")]
internal sealed class SourceLife(IEndpointSource source)
{
    private readonly CancellationTokenSource _ended = new();

    /// <summary>The source.</summary>
    public IEndpointSource Source => source;

    /// <summary>Its channel.</summary>
    public string Channel { get; } = source.Channel;

    /// <summary>Signalled when the source is gone.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>The source is gone.</summary>
    public void End() => _ended.Cancel();
}
