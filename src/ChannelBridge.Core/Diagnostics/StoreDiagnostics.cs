using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>The section <c>store</c>: what it is, and how long a commit takes now.</summary>
/// <param name="store">The store.</param>
/// <param name="time">The clock.</param>
internal sealed class StoreDiagnostics(IStore store, TimeProvider time) : IDiagnosticsSource
{
    /// <inheritdoc/>
    public string Section => "store";

    /// <inheritdoc/>
    public async ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var section = new JsonObject { ["description"] = store.Description, ["id"] = store.StoreId.ToString() };
        var before = time.GetTimestamp();
        await store.ProbeAsync(cancellationToken).ConfigureAwait(false);
        section["writable"] = true;
        section["commitMilliseconds"] = Math.Round(time.GetElapsedTime(before).TotalMilliseconds, 3);
        return section;
    }
}
