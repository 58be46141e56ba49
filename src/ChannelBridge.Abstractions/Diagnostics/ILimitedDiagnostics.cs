using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Abstractions.Diagnostics;

/// <summary>A section with totals, which a limited token is given over its own accounts and channels only.</summary>
public interface ILimitedDiagnostics : IDiagnosticsSource
{
    /// <summary>The section as such a caller may see it.</summary>
    ValueTask<JsonObject> CollectAsync(Caller caller, CancellationToken cancellationToken);
}
