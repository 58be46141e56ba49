using System.Text.Json.Nodes;

namespace ChannelBridge.Abstractions.Diagnostics;

/// <summary>Contributes a section to the method <c>diagnostics</c>: numbers and states, never bodies, tokens or other secrets.</summary>
public interface IDiagnosticsSource
{
    /// <summary>The section's name, e.g. <c>store</c>.</summary>
    string Section { get; }

    /// <summary>The section now.</summary>
    ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken);
}
