using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>
/// The connections of devices at this host. While there are any, the store is asked twice a second whether a device has changed, on whatever host; what a device may no
/// longer have is closed. A host that can't read the store closes all of them after its patience.
/// </summary>
internal sealed partial class LiveDevices(DeviceStore store, AccessOptions options, TimeProvider time, ILogger<LiveDevices> logger) : IAsyncDisposable
{
    // More devices than this are read by pages.
    private const int MostSingleReads = 16;
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly HashSet<DeviceGrant> _grants = [];
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private Task _watching = Task.CompletedTask;
    private long _readAt;
    private long _seen = -1;
    private int _disposed;

    /// <summary>Begins to watch; the store is open.</summary>
    public void Start()
    {
        _readAt = time.GetTimestamp();
        _watching = WatchAsync();
    }

    /// <summary>The number of changes that were seen: taken before a device is read, it says from where on its grant must be looked at.</summary>
    public long Seen => Interlocked.Read(ref _seen);

    /// <summary>A connection is let in.</summary>
    public DeviceGrant Add(DeviceRecord record, long seen, CancellationToken token)
    {
        var grant = new DeviceGrant(this, record, seen);
        lock (_gate) _grants.Add(grant);
        grant.EndWith(token);
        return grant;
    }

    /// <summary>A connection has ended.</summary>
    public void Remove(DeviceGrant grant)
    {
        lock (_gate) _grants.Remove(grant);
    }

    /// <summary>The devices that are connected here.</summary>
    public HashSet<string> Connected()
    {
        lock (_gate) return _grants.Select(grant => grant.DeviceId).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Looks at the store once; what a tick does. Never throws but for the end.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var began = time.GetTimestamp();
            if (All().Count > 0)
            {
                using var late = new CancellationTokenSource(ReadTimeout, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
                // A read that hangs is none, whatever the engine makes of the token.
                var version = await store.ReadVersionAsync(either.Token).AsTask().WaitAsync(ReadTimeout, time, cancellationToken).ConfigureAwait(false);
                var stale = All().FindAll(grant => grant.Seen != version);
                if (stale.Count > 0) await CheckAsync(stale, version, either.Token).AsTask().WaitAsync(2 * ReadTimeout, time, cancellationToken).ConfigureAwait(false);
                Interlocked.Exchange(ref _seen, version);
            }

            _readAt = began;
        }
        catch (Exception fault) when (fault is BridgeException or TimeoutException or JsonException
            || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            CloseAllWhenTooLong();
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // The end of the host does it before the store is closed, and the container once more.
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _stop.Dispose();
        _reading.Dispose();
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(options.Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false)) await RefreshAsync(_stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async ValueTask CheckAsync(List<DeviceGrant> grants, long version, CancellationToken cancellationToken)
    {
        var devices = grants.Select(grant => grant.DeviceId).ToHashSet(StringComparer.Ordinal);
        var epochs = new Dictionary<string, string>(StringComparer.Ordinal);
        if (devices.Count > MostSingleReads)
        {
            foreach (var record in await store.ListAsync(cancellationToken).ConfigureAwait(false)) epochs[record.DeviceId] = record.Epoch;
        }
        else
        {
            foreach (var device in devices)
            {
                if (await store.ReadAsync(device, cancellationToken).ConfigureAwait(false) is { } found) epochs[device] = found.Record.Epoch;
            }
        }

        foreach (var grant in grants)
        {
            grant.Seen = version;
            if (epochs.GetValueOrDefault(grant.DeviceId) != grant.Epoch) grant.End();
        }
    }

    private void CloseAllWhenTooLong()
    {
        if (time.GetElapsedTime(_readAt) < options.Patience) return;
        var all = All();
        if (all.Count == 0) return;
        LogClosing(all.Count);
        foreach (var grant in all) grant.End();
    }

    private List<DeviceGrant> All()
    {
        lock (_gate) return [.. _grants];
    }

    [LoggerMessage(LogEvents.LiveDevicesClosing, LogLevel.Warning, "The store's devices couldn't be read for too long; {Count} of their connections are closed")]
    private partial void LogClosing(int count);
}
