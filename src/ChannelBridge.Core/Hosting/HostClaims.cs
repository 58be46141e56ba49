using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Hosting;

/// <summary>The claims of a store that one host has for itself: all of them are held.</summary>
internal sealed class SingleHost : IHostClaims
{
    public IHostClaim Take(string name) => new Claim(name);

    private sealed class Claim(string name) : IHostClaim
    {
        public string Name => name;

        public bool IsHeld => true;

        public ValueTask<CancellationToken> HeldAsync(CancellationToken cancellationToken) => ValueTask.FromResult(CancellationToken.None);

        public ValueTask DisposeAsync() => default;
    }
}

/// <summary>
/// Claims among several hosts, by a record that its holder writes anew all the time. Nobody's clock is compared with another's: who waits takes a record that hasn't
/// changed for the claim's time by his own clock, and who holds one counts it as lost when he hasn't written it for three quarters of that time.
/// </summary>
internal sealed class SharedHosts(IStore store, TimeSpan claimTime, TimeProvider time) : IHostClaims
{
    private const string Namespace = "host.claims";
    private const int MaxName = 200;

    private readonly IStore _store = store;
    private readonly TimeSpan _claimTime = claimTime;
    private readonly TimeProvider _time = time;
    private readonly string _host = Guid.NewGuid().ToString("N");

    /// <inheritdoc/>
    public IHostClaim Take(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Length > MaxName) throw new ArgumentException($"A claim's name has at most {MaxName} characters.", nameof(name));
        return new Claim(name, this);
    }

    private sealed class Claim : IHostClaim
    {
        private readonly SharedHosts _hosts;
        private readonly CancellationTokenSource _stop = new();
        private readonly Lock _gate = new();
        private readonly Task _running;
        private TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private CancellationTokenSource? _lost;
        private long _version;

        public Claim(string name, SharedHosts hosts)
        {
            Name = name;
            _hosts = hosts;
            _running = RunAsync();
        }

        public string Name { get; }

        public bool IsHeld
        {
            get
            {
                lock (_gate) return _lost is { IsCancellationRequested: false };
            }
        }

        private TimeSpan Pause => _hosts._claimTime / 4;

        public async ValueTask<CancellationToken> HeldAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                Task held;
                lock (_gate)
                {
                    if (_lost is { IsCancellationRequested: false } lost) return lost.Token;
                    held = _held.Task;
                }

                await held.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _running.ConfigureAwait(false);
            var held = IsHeld;
            Lose();
            if (!held) return;
            try
            {
                // Empty is nobody's: the next host that looks takes it at once.
                await PutAsync("", CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is BridgeException or TimeoutException)
            {
                // Then it is taken when its time is up.
            }
        }

        private async Task RunAsync()
        {
            var seenVersion = -1L;
            var seenAt = _hosts._time.GetTimestamp();
            var writtenAt = 0L;
            using var timer = new PeriodicTimer(Pause, _hosts._time);
            try
            {
                do
                {
                    var began = _hosts._time.GetTimestamp();
                    try
                    {
                        if (IsHeld)
                        {
                            // Half a claim's time at most for a write: it must be known to be lost before somebody else takes it.
                            if (await PutAsync(_hosts._host, _stop.Token).ConfigureAwait(false)) writtenAt = began;
                            else Lose();
                        }
                        else
                        {
                            var record = await Bounded(_hosts._store.GetRecordAsync(Namespace, Name, _stop.Token).AsTask()).ConfigureAwait(false);
                            var version = record?.Version ?? 0;
                            if (version != seenVersion)
                            {
                                seenVersion = version;
                                seenAt = _hosts._time.GetTimestamp();
                            }

                            var free = record is null || record.Value.IsEmpty || _hosts._time.GetElapsedTime(seenAt) >= _hosts._claimTime;
                            _version = version;
                            began = _hosts._time.GetTimestamp();
                            if (free && await PutAsync(_hosts._host, _stop.Token).ConfigureAwait(false))
                            {
                                writtenAt = began;
                                Hold();
                            }
                        }
                    }
                    catch (Exception fault) when (fault is BridgeException or TimeoutException)
                    {
                        // Out of reach: the time runs.
                    }

                    if (IsHeld && _hosts._time.GetElapsedTime(writtenAt) >= _hosts._claimTime * 0.75) Lose();
                }
                while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false));
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // Given up.
            }
        }

        private async Task<bool> PutAsync(string host, CancellationToken cancellationToken)
        {
            var put = new RecordPut
            {
                Namespace = Namespace,
                Key = Name,
                Value = Encoding.ASCII.GetBytes(host),
                ExpectedVersion = _version,
                At = _hosts._time.GetUtcNow().ToUnixTimeMilliseconds(),
            };
            await Bounded(_hosts._store.CommitAsync(put, cancellationToken).AsTask()).ConfigureAwait(false);
            if (put.Conflict) return false;
            _version = put.Version;
            return true;
        }

        private Task<T> Bounded<T>(Task<T> task) => task.WaitAsync(_hosts._claimTime / 4, _hosts._time);

        private Task Bounded(Task task) => task.WaitAsync(_hosts._claimTime / 4, _hosts._time);

        private void Hold()
        {
            lock (_gate)
            {
                _lost = new CancellationTokenSource();
                _held.TrySetResult();
            }
        }

        private void Lose()
        {
            CancellationTokenSource? lost;
            lock (_gate)
            {
                if (_lost is not { IsCancellationRequested: false }) return;
                lost = _lost;
                _held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            lost.Cancel();
        }
    }
}
