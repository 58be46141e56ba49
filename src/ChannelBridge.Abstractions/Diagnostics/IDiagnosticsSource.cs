using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Diagnostics;

/// <summary>Contributes a section to the method <c>diagnostics</c>: numbers and states, never bodies, tokens or other secrets.</summary>
public interface IDiagnosticsSource : IContributor
{
    /// <summary>The section's name, e.g. <c>store</c>.</summary>
    string Section { get; }

    /// <summary>The section now.</summary>
    ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken);
}
