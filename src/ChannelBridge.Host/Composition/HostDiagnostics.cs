using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Core.Access;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Composition;

/// <summary>The section <c>host</c>: the process, its memory, and what it was told to be.</summary>
internal sealed class HostDiagnostics(HostState state, Readiness readiness, HostSettings settings, TokenAuthority authority, TimeProvider time) : IDiagnosticsSource
{
    private static readonly TimeSpan StorePatience = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public string Section => "host";

    /// <inheritdoc/>
    public async ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        // In time for this section: what the process knows of itself is worth most when its store hangs.
        var reasons = await readiness.FindReasonsAsync(StorePatience, cancellationToken).ConfigureAwait(false);
        var memory = GC.GetGCMemoryInfo();
        return new JsonObject
        {
            ["version"] = ProductVersion.Text,
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["os"] = RuntimeInformation.OSDescription,
            ["pid"] = Environment.ProcessId,
            ["startedAt"] = state.StartedAt.ToUnixTimeMilliseconds(),
            ["uptimeMs"] = (long)(time.GetUtcNow() - state.StartedAt).TotalMilliseconds,
            ["ready"] = reasons.Count == 0,
            ["notReadyBecause"] = new JsonArray([.. reasons.Select(reason => JsonValue.Create(reason))]),
            ["agent"] = settings.Agent,
            ["data"] = settings.DataDirectory,
            ["tokens"] = authority.Tokens.Count,
            ["memory"] = new JsonObject
            {
                ["workingSetBytes"] = Environment.WorkingSet,
                ["managedBytes"] = GC.GetTotalMemory(forceFullCollection: false),
                ["heapBytes"] = memory.HeapSizeBytes,
                ["allocatedBytes"] = GC.GetTotalAllocatedBytes(),
                ["collections"] = new JsonArray(GC.CollectionCount(0), GC.CollectionCount(1), GC.CollectionCount(2)),
            },
            ["threads"] = ThreadPool.ThreadCount,
        };
    }
}
