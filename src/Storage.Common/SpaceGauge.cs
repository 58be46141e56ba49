using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Common;

/// <summary>
/// A store's space for the meter, which can't wait: gives what was measured last, and has it measured anew, at most once a minute, while somebody collects.
/// </summary>
internal sealed class SpaceGauge : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly IStore _store;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private StoreSpace? _last;
    private Task _measuring = Task.CompletedTask;
    private long? _measuredAt;

    public SpaceGauge(IStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        Telemetry.Add(this);
    }

    /// <summary>What was measured last, or null.</summary>
    public StoreSpace? Last()
    {
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            if (_measuring.IsCompleted && !_stop.IsCancellationRequested && !(_measuredAt is { } at && _time.GetElapsedTime(at, now) < Pause))
            {
                _measuredAt = now;
                _measuring = MeasureAsync();
            }

            return _last;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Telemetry.Remove(this);
        lock (_gate) _stop.Cancel();
        _stop.Dispose();
    }

    private async Task MeasureAsync()
    {
        try
        {
            await Task.Yield();
            var space = await _store.MeasureAsync(_stop.Token).ConfigureAwait(false);
            lock (_gate) _last = space;
        }
        catch (Exception e) when (e is BridgeException or OperationCanceledException or ObjectDisposedException)
        {
            // A store that can't be read says so elsewhere; the next collection tries again.
        }
    }
}
