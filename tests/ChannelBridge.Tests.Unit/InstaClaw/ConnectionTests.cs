using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Channels.InstaClaw;
using ChannelBridge.Channels.InstaClaw.Connection;
using ChannelBridge.Channels.InstaClaw.Registration;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.InstaClaw;

/// <summary>The connection's state machine by a clock that stands still.</summary>
public sealed class ConnectionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Run_FirstAttemptsFail_GoesToReconnectingAndBacksOffWithDoublingCeilings()
    {
        await using var lab = new ConnectionLab();
        lab.Dialer.Refuse = 3;
        lab.Start();
        foreach (var seconds in new[] { 1, 2, 4 })
        {
            await lab.UntilAsync(ConnectionState.Reconnecting);
            await lab.IdleAsync();
            // Full jitter with a random of one half: half the ceiling is enough, and less isn't.
            var dialled = lab.Dialer.Dialled;
            lab.Time.Advance(TimeSpan.FromSeconds(seconds * 0.5) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(dialled, lab.Dialer.Dialled);
            lab.Time.Advance(TimeSpan.FromMilliseconds(1));
            await lab.Dialer.ReachedAsync(dialled + 1);
        }

        await lab.UntilAsync(ConnectionState.Connected);
        Assert.Equal([ConnectionState.Connecting, ConnectionState.Reconnecting], (await lab.StatesAsync(2))[..2]);
        Assert.Equal(0, lab.Connection.Attempts);
        Assert.Null(lab.Connection.LastError);
    }

    [Fact]
    public async Task Run_BrokerClosesSoon_TheBackOffIsNotReset_AndAfterAStableTimeItIs()
    {
        await using var lab = new ConnectionLab();
        lab.Start();
        foreach (var (lived, ceiling) in new[] { (5, 1), (5, 2), (5, 4), (40, 1), (1, 2) })
        {
            await lab.UntilAsync(ConnectionState.Connected);
            await lab.IdleAsync();
            lab.Time.Advance(TimeSpan.FromSeconds(lived));
            lab.Dialer.Last.Close();
            await lab.UntilAsync(ConnectionState.Reconnecting);
            await lab.IdleAsync();
            var dialled = lab.Dialer.Dialled;
            lab.Time.Advance(TimeSpan.FromSeconds(ceiling * 0.5) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(dialled, lab.Dialer.Dialled);
            lab.Time.Advance(TimeSpan.FromMilliseconds(1));
            await lab.Dialer.ReachedAsync(dialled + 1);
        }

        Assert.Equal(
            [ConnectionState.Connecting, ConnectionState.Connected, ConnectionState.Disconnected, ConnectionState.Reconnecting, ConnectionState.Connected],
            (await lab.StatesAsync(5))[..5]);
    }

    [Fact]
    public async Task Run_NoSignOfLife_ClosesAtTheThirdMissedPong()
    {
        await using var lab = new ConnectionLab();
        lab.Start();
        await lab.UntilAsync(ConnectionState.Connected);
        for (var i = 1; i <= 3; i++)
        {
            await lab.IdleAsync();
            lab.Time.Advance(TimeSpan.FromSeconds(30));
            await lab.Events.BeatsAsync(i);
            Assert.Equal(ConnectionState.Connected, lab.Connection.State);
        }

        await lab.IdleAsync();
        lab.Time.Advance(TimeSpan.FromSeconds(30));
        await lab.UntilAsync(ConnectionState.Reconnecting);
        Assert.Equal("the broker left 3 pings unanswered", lab.Connection.LastError);
        Assert.True(lab.Dialer.First.Aborted);
    }

    [Fact]
    public async Task Run_AnyTraffic_KeepsTheConnection()
    {
        await using var lab = new ConnectionLab();
        lab.Start();
        await lab.UntilAsync(ConnectionState.Connected);
        for (var i = 1; i <= 8; i++)
        {
            await lab.IdleAsync();
            lab.Time.Advance(TimeSpan.FromSeconds(30));
            await lab.Events.BeatsAsync(i);
            lab.Dialer.Last.Heard();
        }

        Assert.Equal(ConnectionState.Connected, lab.Connection.State);
        Assert.Equal(0, lab.Connection.MissedPongs);
    }

    [Fact]
    public async Task Stop_WhileWaitingAndWhileConnected_EndsClosed()
    {
        await using var waiting = new ConnectionLab();
        waiting.Dialer.Refuse = 1;
        waiting.Start();
        await waiting.UntilAsync(ConnectionState.Reconnecting);
        await waiting.StopAsync();
        Assert.Equal(ConnectionState.Closed, waiting.Connection.State);

        await using var connected = new ConnectionLab();
        connected.Start();
        await connected.UntilAsync(ConnectionState.Connected);
        await connected.StopAsync();
        Assert.Equal(ConnectionState.Closed, connected.Connection.State);
        Assert.True(connected.Dialer.Last.Disposed);
    }

    private sealed class ConnectionLab : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly ConcurrentQueue<ConnectionState> _states = new();
        private readonly SemaphoreSlim _changed = new(0);
        private Task _running = Task.CompletedTask;
        private int _seen;

        public ConnectionLab()
        {
            var options = new InstaClawOptions { WsUrl = "wss://broker.invalid/ws/chat" };
            Connection = new BrokerConnection(
                "main", new Uri(options.WsUrl), options, Dialer, Events, Time, new Half(), NullLogger.Instance)
            {
                StateChanged = state =>
                {
                    _states.Enqueue(state);
                    _changed.Release();
                },
            };
        }

        public ManualTime Time { get; } = new();

        public FakeDialer Dialer { get; } = new();

        public CountingEvents Events { get; } = new();

        public BrokerConnection Connection { get; }

        public void Start() => _running = Task.Run(() => Connection.RunAsync(() => new Profile { AppKey = "k", AppSecret = "s" }, _stop.Token));

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await _running.WaitAsync(Patience);
        }

        /// <summary>The states so far, when there are that many.</summary>
        public async Task<ConnectionState[]> StatesAsync(int count)
        {
            while (_states.Count < count) Assert.True(await _changed.WaitAsync(Patience));
            return [.. _states];
        }

        /// <summary>Waits until a state is entered that wasn't seen yet.</summary>
        public async Task UntilAsync(ConnectionState state)
        {
            while (true)
            {
                var states = (await StatesAsync(_seen + 1))[_seen..];
                var found = Array.IndexOf(states, state);
                _seen += found < 0 ? states.Length : found + 1;
                if (found >= 0) return;
            }
        }

        /// <summary>Waits until the connection's next timer is set: moving the clock before that would be lost.</summary>
        public Task IdleAsync() => Time.ArmedAsync(1);

        public async ValueTask DisposeAsync() => await StopAsync();
    }

    private sealed class Half : Random
    {
        public override double NextDouble() => 0.5;
    }

    private sealed class CountingEvents : IBrokerEvents
    {
        private int _beats;
        private readonly SemaphoreSlim _beat = new(0);

        public Task Connected(IDialedSocket socket, CancellationToken end) => Task.CompletedTask;

        public ValueTask ReceivedAsync(ReadOnlyMemory<byte> message, CancellationToken end) => ValueTask.CompletedTask;

        public void Beat(IDialedSocket socket)
        {
            Interlocked.Increment(ref _beats);
            _beat.Release();
        }

        public void Ponged(long number)
        {
        }

        public async Task BeatsAsync(int count)
        {
            while (Volatile.Read(ref _beats) < count) Assert.True(await _beat.WaitAsync(Patience));
        }
    }

    private sealed class FakeDialer : IBrokerDialer
    {
        private readonly SemaphoreSlim _dial = new(0);
        private int _dialled;

        public int Refuse { get; set; }

        public int Dialled => Volatile.Read(ref _dialled);

        public FakeSocket First { get; private set; } = null!;

        public FakeSocket Last { get; private set; } = null!;

        public Task<IDialedSocket> DialAsync(Uri url, Profile profile, Action heard, Action<long> ponged, CancellationToken cancellationToken)
        {
            Last = new FakeSocket(heard);
            First ??= Last;
            Interlocked.Increment(ref _dialled);
            _dial.Release();
            return Refuse-- > 0 ? Task.FromException<IDialedSocket>(new IOException("connection refused")) : Task.FromResult<IDialedSocket>(Last);
        }

        public async Task ReachedAsync(int count)
        {
            while (Dialled < count) Assert.True(await _dial.WaitAsync(Patience));
        }
    }

    private sealed class FakeSocket(Action heard) : IDialedSocket
    {
        private readonly TaskCompletionSource<ReadOnlyMemory<byte>?> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Aborted { get; private set; }

        public bool Disposed { get; private set; }

        public string? CloseReason => null;

        public void Heard() => heard();

        public void Close() => _next.TrySetResult(null);

        public async ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken) => await _next.Task.WaitAsync(cancellationToken);

        public ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask PingAsync(long number, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask CloseAsync()
        {
            Close();
            return ValueTask.CompletedTask;
        }

        public void Abort()
        {
            Aborted = true;
            _next.TrySetException(new IOException("aborted"));
        }

        public ValueTask DisposeAsync()
        {
            Disposed = true;
            return ValueTask.CompletedTask;
        }
    }
}
