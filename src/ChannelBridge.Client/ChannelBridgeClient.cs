using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Client.Devices;
using ChannelBridge.Client.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Client;

/// <summary>
/// A client of a ChannelBridge host (or of an OpenClaw gateway): connects, authenticates, calls methods, reads events, and reconnects by itself.
/// Safe for use by many threads. Bridges want <see cref="Bncr.BncrBridgeClient"/> on top of it.
/// </summary>
public sealed partial class ChannelBridgeClient : IAsyncDisposable
{
    private readonly ChannelBridgeClientOptions _options;
    private readonly Endpoint _endpoint;
    private readonly Func<IClientTransport> _makeTransport;
    private readonly TimeProvider _time;
    private readonly ReconnectBackoff _backoff;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private ImmutableArray<ClientSubscription> _subscriptions = [];
    private ImmutableArray<Func<ClientSession, CancellationToken, Task>> _handshakes = [];
    private TaskCompletionSource<ClientSession> _connected = NewSource();
    private Task? _running;
    private ClientState _state;
    private PairingRequest? _pairing;
    private int _disposed;

    /// <summary>Makes a client; it connects with <see cref="ConnectAsync"/>.</summary>
    /// <param name="options">Where to and how; not to be changed afterwards.</param>
    /// <param name="time">The clock; null means the system's.</param>
    /// <param name="logger">The log; null means none.</param>
    /// <exception cref="ArgumentException">The options are invalid; the message names each.</exception>
    public ChannelBridgeClient(ChannelBridgeClientOptions options, TimeProvider? time = null, ILogger<ChannelBridgeClient>? logger = null)
        : this(options, null, time, Random.Shared, logger)
    {
    }

    internal ChannelBridgeClient(
        ChannelBridgeClientOptions options, Func<IClientTransport>? makeTransport, TimeProvider? time, Random random, ILogger? logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } problems) throw new ArgumentException(string.Join(Environment.NewLine, problems), nameof(options));
        _options = options;
        _ = Endpoint.TryParse(options.Endpoint, out var endpoint, out _);
        _endpoint = endpoint!;
        _makeTransport = makeTransport ?? MakeTransport;
        _time = time ?? TimeProvider.System;
        _logger = logger ?? NullLogger.Instance;
        _backoff = new ReconnectBackoff(options.ReconnectDelay, options.MaxReconnectDelay, options.StableAfter, random);
    }

    /// <summary>Raised when <see cref="State"/> has changed, from the client's own loop: return quickly.</summary>
    public event EventHandler<ClientStateChangedEventArgs>? StateChanged;

    /// <summary>Where the client is in its life.</summary>
    public ClientState State
    {
        get
        {
            lock (_gate) return _state;
        }
    }

    /// <summary>The request of this device that waits for an operator's approval; null when none does.</summary>
    public PairingRequest? Pairing
    {
        get
        {
            lock (_gate) return _pairing;
        }
    }

    /// <summary>What the host said of itself when the connection that holds now was opened; null while there is none.</summary>
    public ServerInfo? Server => _connected.Task is { IsCompletedSuccessfully: true } task ? task.Result.Server : null;

    /// <summary>
    /// Connects and authenticates. Afterwards a lost connection is replaced by itself. Calling it again waits for the same connection.
    /// </summary>
    /// <exception cref="ChannelBridgeClientException">
    /// The host can't be reached (<see cref="ClientErrorCodes.Unreachable"/>), didn't answer in time, or refused the token
    /// (<see cref="ClientErrorCodes.Unauthorized"/>). A device that must be approved is no failure: it is waited for, see
    /// <see cref="ChannelBridgeClientOptions.WaitForApproval"/>.
    /// </exception>
    public async Task ConnectAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        lock (_gate)
        {
            if (_running is null || (_running.IsCompleted && _state == ClientState.Failed))
            {
                if (_state == ClientState.Failed) _connected = NewSource();
                _state = ClientState.Connecting;
                _running = Task.Run(RunAsync, CancellationToken.None);
            }
        }

        await _connected.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Calls a method.</summary>
    /// <param name="method">Its name, e.g. <c>bncr.inbound</c>.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="parametersType">How they are written.</param>
    /// <param name="resultType">How the result is read.</param>
    /// <param name="cancellationToken">Stops waiting; the host may still do what was asked.</param>
    /// <exception cref="ChannelBridgeClientException">The host's error, or one of <see cref="ClientErrorCodes"/>.</exception>
    public async Task<TResult> CallAsync<TParameters, TResult>(
        string method, TParameters parameters, JsonTypeInfo<TParameters> parametersType, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(parametersType);
        ArgumentNullException.ThrowIfNull(resultType);
        var result = await CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters, parametersType), cancellationToken).ConfigureAwait(false);
        try
        {
            return JsonSerializer.Deserialize(result.Span, resultType)
                ?? throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, $"{method}: the host answered null");
        }
        catch (JsonException fault)
        {
            throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, $"{method}: the answer isn't what {typeof(TResult).Name} describes", fault);
        }
    }

    /// <summary>Calls a method with raw JSON.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parameters">One JSON object, UTF-8; empty means <c>{}</c>. It must not change until the task completes.</param>
    /// <param name="cancellationToken">Stops waiting; the host may still do what was asked.</param>
    /// <returns>One JSON value, UTF-8, owned by the caller.</returns>
    /// <exception cref="ChannelBridgeClientException">The host's error, or one of <see cref="ClientErrorCodes"/>.</exception>
    public async Task<ReadOnlyMemory<byte>> CallAsync(string method, ReadOnlyMemory<byte> parameters = default, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(method);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        lock (_gate)
        {
            if (_running is null) throw new InvalidOperationException("ConnectAsync comes first.");
        }

        using var activity = ClientTelemetry.StartCall(method);
        using var timeout = new CancellationTokenSource(_options.CallTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var session = await CurrentAsync().WaitAsync(both.Token).ConfigureAwait(false);
            return await session.CallAsync(method, parameters, both.Token, ClientTelemetry.TraceParent).ConfigureAwait(false);
        }
        catch (OperationCanceledException fault) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ChannelBridgeClientException(ClientErrorCodes.Timeout, $"{method}: no answer within {_options.CallTimeout.TotalSeconds:0.#} s", fault) { Retryable = true };
        }
    }

    /// <summary>Subscribes to events from now on, over reconnects. Dispose it when you are done.</summary>
    /// <param name="names">The events' names; none means every event.</param>
    public ClientSubscription Subscribe(params string[] names)
    {
        ArgumentNullException.ThrowIfNull(names);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var subscription = new ClientSubscription(_options.EventBuffer, names, gone => ImmutableInterlocked.Update(ref _subscriptions, all => all.Remove(gone)));
        ImmutableInterlocked.Update(ref _subscriptions, all => all.Add(subscription));
        return subscription;
    }

    /// <summary>Ends the client: the connection is closed in an orderly way, calls that wait fail, subscriptions end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        Task? running;
        lock (_gate) running = _running;
        if (running is not null) await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        SetState(ClientState.Closed);
        CurrentSource().TrySetException(new ObjectDisposedException(nameof(ChannelBridgeClient)));
        foreach (var subscription in _subscriptions) subscription.Complete(null);
        _stop.Dispose();
    }

    /// <summary>How long an answer may take.</summary>
    internal TimeSpan CallTimeout => _options.CallTimeout;

    /// <summary>The connection that there is, or the next one.</summary>
    internal Task<ClientSession> SessionAsync(CancellationToken cancellationToken) => CurrentAsync().WaitAsync(cancellationToken);

    /// <summary>Adds what every new connection goes through before calls use it, such as <c>bncr.connect</c>. Before <see cref="ConnectAsync"/>.</summary>
    internal void AddHandshake(Func<ClientSession, CancellationToken, Task> handshake) =>
        ImmutableInterlocked.Update(ref _handshakes, all => all.Add(handshake));

    private static TaskCompletionSource<ClientSession> NewSource()
    {
        var source = new TaskCompletionSource<ClientSession>(TaskCreationOptions.RunContinuationsAsynchronously);
        // Looked at here, so that a failure without a waiting caller isn't reported as unobserved.
        _ = source.Task.ContinueWith(static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return source;
    }

    private TaskCompletionSource<ClientSession> CurrentSource()
    {
        lock (_gate) return _connected;
    }

    /// <summary>The session that calls go through: the one there is, or the next when that one has ended.</summary>
    private Task<ClientSession> CurrentAsync()
    {
        lock (_gate)
        {
            ReplaceEnded();
            return _connected.Task;
        }
    }

    /// <summary>
    /// Under the lock: the first caller that sees the session ended makes the place for the next one, for which the others then wait.
    /// </summary>
    private void ReplaceEnded()
    {
        if (_connected.Task is { IsCompletedSuccessfully: true } task && task.Result.Ended.IsCompleted) _connected = NewSource();
    }

    /// <summary>Tells a new state; false when it isn't new.</summary>
    private bool SetState(ClientState state, PairingRequest? pairing = null)
    {
        lock (_gate)
        {
            // A request that took another's place is news, too.
            if (_state == state && _pairing?.RequestId == pairing?.RequestId) return false;
            _state = state;
            _pairing = pairing;
        }

        StateChanged?.Invoke(this, new ClientStateChangedEventArgs(state, pairing));
        return true;
    }
}
