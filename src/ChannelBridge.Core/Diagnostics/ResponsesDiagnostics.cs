using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Core.Responses;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>The section <c>responses</c>: what runs, what waits, and of how many.</summary>
/// <param name="runs">The responses of this host.</param>
/// <param name="options">Their bounds.</param>
internal sealed class ResponsesDiagnostics(ResponseRuns runs, ResponseOptions options) : IDiagnosticsSource
{
    /// <inheritdoc/>
    public string Section => "responses";

    /// <inheritdoc/>
    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken) => new(new JsonObject
    {
        ["running"] = runs.Taken,
        ["slots"] = options.Slots,
        ["waiting"] = runs.Waiting,
        ["queueCapacity"] = options.QueueCapacity,
        ["open"] = runs.Running,
    });
}
