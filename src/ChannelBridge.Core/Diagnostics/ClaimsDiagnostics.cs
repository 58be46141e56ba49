using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>The section <c>claims</c>: the hosts that share the store, and what of it is this host's.</summary>
/// <param name="claims">The claims.</param>
internal sealed class ClaimsDiagnostics(ILaneClaims claims) : IDiagnosticsSource
{
    /// <inheritdoc/>
    public string Section => "claims";

    /// <inheritdoc/>
    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken) => ValueTask.FromResult(claims.Describe());
}
