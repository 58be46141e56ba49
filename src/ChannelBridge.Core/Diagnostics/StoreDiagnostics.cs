using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>
/// The section <c>store</c>: what it is, what it knows of itself, how long a commit takes now, and how much room it takes. While the store hangs the first
/// two are told all the same, and <c>timedOut</c> names what didn't answer.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="time">The clock.</param>
internal sealed class StoreDiagnostics(IStore store, TimeProvider time) : IDiagnosticsSource
{
    // Shorter than what a section may take as a whole, so that it is never given up with what it knows.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan SpaceAge = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private Task<StoreSpace>? _space;
    private long _spaceAt;

    /// <inheritdoc/>
    public string Section => "store";

    /// <inheritdoc/>
    public async ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var health = store.Health;
        var section = new JsonObject
        {
            ["description"] = store.Description,
            ["id"] = store.StoreId.ToString(),
            ["queue"] = new JsonObject { ["commits"] = health.QueuedCommits, ["capacity"] = health.QueueCapacity },
            ["lastCommitAt"] = health.LastCommitAt > 0 ? health.LastCommitAt : null,
        };
        if (health.Failing is { } code) (section["failing"], section["failingSince"]) = (code, health.FailingSince);

        var before = time.GetTimestamp();
        var probe = store.ProbeAsync(cancellationToken).AsTask();
        var space = Space();
        var timedOut = new JsonArray();
        var faults = new JsonArray();
        await WaitAsync(probe, "write", before, timedOut, faults, cancellationToken).ConfigureAwait(false);
        if (probe.IsCompletedSuccessfully) section["commitMilliseconds"] = Math.Round(time.GetElapsedTime(before).TotalMilliseconds, 3);
        if (probe.IsCompleted) section["writable"] = probe.IsCompletedSuccessfully;
        if (await WaitAsync(space, "space", before, timedOut, faults, cancellationToken).ConfigureAwait(false)) section["space"] = Describe(await space.ConfigureAwait(false));
        if (timedOut.Count > 0) section["timedOut"] = timedOut;
        if (faults.Count > 0) section["faults"] = faults;
        return section;
    }

    private static JsonObject Describe(StoreSpace space)
    {
        var section = new JsonObject { ["measuredAt"] = space.MeasuredAt, ["dataBytes"] = space.DataBytes };
        if (space.LogBytes is { } log) section["logBytes"] = log;
        if (space.FreeBytes is { } free) section["freeBytes"] = free;
        if (space.DiskFreeBytes is { } disk) section["diskFreeBytes"] = disk;
        section["rowsEstimated"] = space.Estimated;
        section["inboxRows"] = space.InboxRows;
        section["outboxRows"] = space.OutboxRows;
        section["recordRows"] = space.RecordRows;
        section["logRows"] = space.LogRows;
        section["dedupeKeys"] = space.DedupeKeys;
        section["deadLetters"] = space.DeadLetters;
        return section;
    }

    // Counting rows is work: whoever asks within a minute gets what was counted.
    private Task<StoreSpace> Space()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_space is null || _space.IsFaulted || _space.IsCanceled || (_space.IsCompleted && time.GetElapsedTime(_spaceAt, now) > SpaceAge))
            {
                _space = Task.Run(async () => await store.MeasureAsync(CancellationToken.None).ConfigureAwait(false));
                _spaceAt = now;
            }

            return _space;
        }
    }

    private async Task<bool> WaitAsync(Task task, string name, long since, JsonArray timedOut, JsonArray faults, CancellationToken cancellationToken)
    {
        try
        {
            var left = Patience - time.GetElapsedTime(since);
            await task.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            timedOut.Add((JsonNode)name);
            // Nobody waits for it any more; what it says then is nobody's.
            _ = task.ContinueWith(static late => late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }
        catch (BridgeException fault)
        {
            faults.Add((JsonNode)$"{name}: {fault.Code}: {fault.Message}");
        }

        return false;
    }
}
