using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Sealing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>
/// An account's life on its gateway: it looks for it, makes or reads its identity, logs in, connects, keeps the connection and its tokens alive, and
/// connects again for ever, unless the gateway says that it is no use.
/// </summary>
internal sealed partial class AunLink(
    string accountId,
    AunAccountOptions account,
    AunOptions options,
    IDialer dialer,
    IRecords records,
    TimeProvider time,
    Random random,
    ILogger<AunLink> logger) : IDisposable
{
    private readonly AunConnectorOptions _connector = options.Connector;
    private readonly bool _isDevelopment = AunEnvironment.IsDevelopment();
    private volatile GatewaySocket? _socket;
    private volatile GatewayView? _view;
    private IdentityFolder? _folder;
    private IdentityKeys? _keys;
    private Sealer? _sealer;
    private string? _certificate;
    private string _deviceId = "";
    private Uri? _gateway;
    private AunTokens? _tokens;
    private int _state;
    private long _connectedAt;
    private long _heardAt;
    private int _attempts;
    private volatile string? _lastError;
    private TimeSpan _heartbeat;
    private string? _published;

    /// <summary>Where it is.</summary>
    public LinkState State => (LinkState)Volatile.Read(ref _state);

    /// <summary>The gateway, once it is known.</summary>
    public Uri? Gateway => _gateway;

    /// <summary>The connection, while there is one.</summary>
    public GatewaySocket? Socket => _socket;

    /// <summary>The sealing of the identity, once it is known.</summary>
    public Sealer? Sealer => _sealer;

    /// <summary>The device, once the folder was read.</summary>
    public string DeviceId => _deviceId;

    /// <summary>Since when it is connected (Unix ms), or when it last was; 0: never.</summary>
    public long ConnectedAt => Volatile.Read(ref _connectedAt);

    /// <summary>When anything was last heard (Unix ms), or 0.</summary>
    public long HeardAt => Volatile.Read(ref _heardAt);

    /// <summary>Attempts since the last connection.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>Why there is no connection, or null.</summary>
    public string? LastError => _lastError;

    /// <summary>Called before the first message comes: identity and device are known.</summary>
    public Action? Identified { get; set; }

    /// <summary>Called when it is connected, and with null when it no longer is.</summary>
    public Action<GatewaySocket?>? Changed { get; set; }

    /// <summary>Called when it has come to its end: <see cref="LinkState.TerminalFailed"/>.</summary>
    public Action? Ended { get; set; }

    /// <summary>Called for each message that is pushed.</summary>
    public Action<GatewaySocket, JsonElement>? Pushed { get; set; }

    /// <summary>Lives until it is told to stop, or at its end.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        if (_isDevelopment) LogUnchecked(logger, accountId);
        var backoff = new GatewayBackoff(_connector, random);
        try
        {
            while (true)
            {
                Enter(LinkState.Connecting);
                var closedByGateway = false;
                try
                {
                    closedByGateway = await TryAsync(backoff, stop).ConfigureAwait(false);
                    Enter(LinkState.Disconnected);
                }
                catch (BridgeException fault) when (fault is not AunCallException { EndsAccount: true })
                {
                    _lastError = fault.Message;
                }

                stop.ThrowIfCancellationRequested();
                Interlocked.Increment(ref _attempts);
                Enter(LinkState.Reconnecting);
                var wait = backoff.Next(closedByGateway);
                LogReconnecting(logger, accountId, (long)wait.TotalMilliseconds, _lastError);
                await Task.Delay(wait, time, stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Enter(LinkState.Idle);
        }
        catch (AunCallException fault)
        {
            _lastError = fault.Message;
            Enter(LinkState.TerminalFailed);
            LogEnded(logger, accountId, fault.Message);
            Ended?.Invoke();
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Makes sure that the identity exists, and connects no further: for a command.</summary>
    /// <exception cref="BridgeException">It can't be made.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken) =>
        await IdentifyAsync((await FindGatewayAsync(cancellationToken).ConfigureAwait(false)).Login, cancellationToken).ConfigureAwait(false);

    /// <summary>Connects, does something, and leaves: for a command.</summary>
    /// <exception cref="BridgeException">What fails isn't tried again.</exception>
    public async Task<T> OnceAsync<T>(Func<GatewaySocket, Task<T>> action, CancellationToken cancellationToken)
    {
        var view = await FindGatewayAsync(cancellationToken).ConfigureAwait(false);
        await IdentifyAsync(view.Login, cancellationToken).ConfigureAwait(false);
        var socket = await AuthenticateAsync(view, cancellationToken).ConfigureAwait(false);
        await using (socket.ConfigureAwait(false))
        {
            _socket = socket;
            try
            {
                var result = await action(socket).ConfigureAwait(false);
                await socket.CloseAsync().ConfigureAwait(false);
                return result;
            }
            finally
            {
                _socket = null;
            }
        }
    }

    /// <summary>The channel has stopped.</summary>
    public void Close() => Enter(LinkState.Closed);

    /// <inheritdoc/>
    public void Dispose()
    {
        _view?.Http.Dispose();
        _sealer?.Dispose();
        _keys?.Dispose();
        _folder?.Dispose();
    }

    /// <summary>One attempt, and the connection that comes of it.</summary>
    /// <returns>True when the gateway itself has closed it with a code of its own.</returns>
    private async Task<bool> TryAsync(GatewayBackoff backoff, CancellationToken stop)
    {
        var view = await FindGatewayAsync(stop).ConfigureAwait(false);
        try
        {
            if (Attempts > 0 && await view.Http.GetAsync(GatewayAddress.Http(view.Gateway, "/health"), stop).ConfigureAwait(false) is null)
                throw BridgeException.Unavailable("the gateway has no /health");
            Enter(LinkState.Authenticating);
            await IdentifyAsync(view.Login, stop).ConfigureAwait(false);
            var socket = await AuthenticateAsync(view, stop).ConfigureAwait(false);
            await using (socket.ConfigureAwait(false))
            {
                backoff.Reset();
                return await LiveAsync(socket, view.Login, stop).ConfigureAwait(false);
            }
        }
        catch (BridgeException fault) when (fault is not AunCallException)
        {
            // It may have moved.
            if (account.GatewayUrl is null) _gateway = null;
            throw;
        }
    }

    private async Task<GatewayView> FindGatewayAsync(CancellationToken stop)
    {
        if (_gateway is not null && _view is { } known) return known;
        var trust = PkiTrust.Load(account.RootCaPath, time);
        var tls = trust.ForTls(_isDevelopment);
        var http = new GatewayHttp(tls, _connector.ConnectTimeout, time);
        try
        {
            var gateway = GatewayAddress.TryParse(account.GatewayUrl) ?? await http.DiscoverAsync(account.Aid!, account.DiscoveryPort, _isDevelopment, stop).ConfigureAwait(false);
            _view?.Http.Dispose();
            _gateway = gateway;
            return _view = new GatewayView(gateway, trust, http, new GatewayLogin(gateway, trust, tls, http, dialer, _connector, time));
        }
        catch
        {
            http.Dispose();
            throw;
        }
    }

    /// <summary>Reads the identity, or makes it: the key is on disk before anybody hears of it.</summary>
    private async Task IdentifyAsync(GatewayLogin login, CancellationToken stop)
    {
        if (_keys is not null) return;
        _folder ??= new IdentityFolder(account.AunPath, account.Aid!, Password());
        var key = _folder.LoadKey();
        if (key is null)
        {
            if (!account.Create) throw AunCallException.Make(AunErrorClass.Validation, 0, $"there is no key at {_folder.KeyPath}, and Create is false");
            key = _folder.CreateKey();
        }

        using (key)
        {
            _certificate = _folder.LoadCertificate();
            if (_certificate is null || !IdentityFolder.Fits(_certificate, key))
            {
                _certificate = await login.CreateAsync(account.Aid!, key, stop).ConfigureAwait(false);
                _folder.SaveCertificate(_certificate);
                LogCreated(logger, accountId, account.Aid!);
            }

            using var certificate = X509Certificate2.CreateFromPem(_certificate);
            _deviceId = _folder.DeviceId();
            _keys = new IdentityKeys(account.Aid!, key, certificate);
            var peers = new GatewayPeerKeys(() => _view, () => _socket, _connector, time);
            _sealer = new Sealer(_keys, _deviceId, peers, records, options.RequireForwardSecrecy, time);
        }
    }

    /// <summary>Connects with the token that is at hand, else with a refreshed one, else with one of a new login.</summary>
    private async Task<GatewaySocket> AuthenticateAsync(GatewayView view, CancellationToken stop)
    {
        _tokens ??= _folder!.LoadTokens() is { } stored && stored.Gateway == view.Gateway.ToString() ? stored : null;
        if (_tokens is { Refresh: not null } && LeftOf(_tokens) > TimeSpan.FromSeconds(30) && await TryTokenAsync(view, stop).ConfigureAwait(false) is { } cached) return cached;
        if (_tokens?.Refresh is { } refresh)
        {
            try
            {
                Keep(await view.Login.RefreshAsync(refresh, stop).ConfigureAwait(false));
            }
            catch (AunCallException)
            {
                Keep(null);
            }

            if (_tokens is not null && await TryTokenAsync(view, stop).ConfigureAwait(false) is { } refreshed) return refreshed;
        }

        Keep(await view.Login.LoginAsync(_keys!, _certificate!, stop).ConfigureAwait(false));
        return await ConnectAsync(view, stop).ConfigureAwait(false);
    }

    private async Task<GatewaySocket?> TryTokenAsync(GatewayView view, CancellationToken stop)
    {
        try
        {
            return await ConnectAsync(view, stop).ConfigureAwait(false);
        }
        catch (AunCallException fault) when (fault.Class == AunErrorClass.Auth)
        {
            // A token can be old or revoked; the next one may be good.
            return null;
        }
    }

    private async Task<GatewaySocket> ConnectAsync(GatewayView view, CancellationToken stop)
    {
        var socket = await GatewaySocket.OpenAsync(dialer, view.Gateway, view.Trust.ForTls(_isDevelopment), _connector, Heard, time, stop).ConfigureAwait(false);
        try
        {
            var (nonce, token, kind) = (socket.Nonce, _tokens!.Access, account.IsShort ? "short" : "long");
            var hello = await socket.CallAsync(
                "auth.connect", writer => ConnectParameters.Write(writer, nonce, token, _deviceId, account, kind), _connector.CallTimeout, stop).ConfigureAwait(false);
            var named = hello.ValueKind == JsonValueKind.Object && hello.TryGetProperty("identity"u8, out var identity) ? Wire.Text(identity, "aid") : null;
            if (named is not null && named != account.Aid) throw AunCallException.Make(AunErrorClass.Auth, 0, "the gateway takes the account for another AID");
            _heartbeat = Wire.Whole(hello, "heartbeat_interval") switch
            {
                null => _connector.Heartbeat,
                0 => TimeSpan.Zero,
                var seconds => TimeSpan.FromSeconds(Math.Clamp(seconds.Value, 10, 600)) is var asked && asked < _connector.Heartbeat ? asked : _connector.Heartbeat,
            };
            var result = socket;
            socket = null;
            return result;
        }
        catch (BridgeException) when (CloseCodes.IsFinal(socket?.CloseCode) && socket!.CloseCode is not (4001 or 4008 or 4010))
        {
            throw AunCallException.Make(AunErrorClass.Auth, socket.CloseCode!.Value, ClosedWith(socket.CloseCode.Value));
        }
        finally
        {
            if (socket is not null) await socket.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task<bool> LiveAsync(GatewaySocket socket, GatewayLogin login, CancellationToken stop)
    {
        string? goodbye = null;
        Identified?.Invoke();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        socket.OnEvent = (name, parameters) =>
        {
            if (name == "message.received" && parameters.ValueKind == JsonValueKind.Object) Pushed?.Invoke(socket, parameters);
            else if (name == "gateway.disconnect")
                goodbye = GoodbyeOf(parameters);
        };
        _socket = socket;
        Volatile.Write(ref _connectedAt, time.GetUtcNow().ToUnixTimeMilliseconds());
        Volatile.Write(ref _attempts, 0);
        _lastError = null;
        await PublishAsync(socket, end.Token).ConfigureAwait(false);
        Enter(LinkState.Connected);
        LogConnected(logger, accountId, account.Aid!, socket.IsOpen ? _gateway?.Host : null);
        Changed?.Invoke(socket);
        var upkeep = Task.WhenAll(BeatAsync(socket, end.Token), RenewAsync(socket, login, end.Token));
        // Cancelling a read would break the connection; the gateway is told, and its goodbye ends the reading.
        using var leaving = stop.Register(() => _ = socket.CloseAsync().AsTask());
        await socket.Ended.ConfigureAwait(false);
        _socket = null;
        Changed?.Invoke(null);
        await end.CancelAsync().ConfigureAwait(false);
        await upkeep.ConfigureAwait(false);
        stop.ThrowIfCancellationRequested();
        _lastError = goodbye ?? (socket.CloseCode is { } code && CloseCodes.IsOwn(code) ? ClosedWith(code) : socket.Reason);
        LogDisconnected(logger, accountId, _lastError);
        if (goodbye is not null || CloseCodes.IsFinal(socket.CloseCode)) throw AunCallException.Make(AunErrorClass.Auth, socket.CloseCode ?? 0, _lastError!);
        return CloseCodes.IsOwn(socket.CloseCode);
    }

    private string? Password()
    {
        if (account.SeedPasswordFile is not { } path) return account.SeedPassword;
        try
        {
            return File.ReadAllText(path).TrimEnd('\r', '\n');
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw AunCallException.Make(AunErrorClass.Validation, 0, $"SeedPasswordFile can't be read: {fault.Message}");
        }
    }

    private TimeSpan LeftOf(AunTokens tokens) => DateTimeOffset.FromUnixTimeMilliseconds(tokens.ExpiresAt) - time.GetUtcNow();

    private void Heard() => Volatile.Write(ref _heardAt, time.GetUtcNow().ToUnixTimeMilliseconds());

    private void Enter(LinkState state) => Volatile.Write(ref _state, (int)state);

    private static string GoodbyeOf(JsonElement parameters)
    {
        var code = (int)Math.Clamp(Wire.Whole(parameters, "code") ?? 0, 0, int.MaxValue);
        var reason = AunCallException.Clean(Wire.Text(parameters, "reason") ?? "no reason");
        return string.Create(CultureInfo.InvariantCulture, $"the gateway disconnects ({code}, {reason}): {CloseCodes.Explain(code)}");
    }

    private static string ClosedWith(int code) => string.Create(CultureInfo.InvariantCulture, $"the gateway closed the connection with {code}: {CloseCodes.Explain(code)}");

    [LoggerMessage(LogEvents.ConnectorConnected, LogLevel.Information, "AUN account {Account}: connected as {Aid} to {Gateway}.")]
    private static partial void LogConnected(ILogger logger, string account, string aid, string? gateway);

    [LoggerMessage(LogEvents.ConnectorDisconnected, LogLevel.Warning, "AUN account {Account}: the connection to the gateway is lost: {Reason}.")]
    private static partial void LogDisconnected(ILogger logger, string account, string? reason);

    [LoggerMessage(LogEvents.ConnectorReconnecting, LogLevel.Information, "AUN account {Account}: connects again in {Milliseconds} ms ({Reason}).")]
    private static partial void LogReconnecting(ILogger logger, string account, long milliseconds, string? reason);

    [LoggerMessage(LogEvents.ConnectorEnded, LogLevel.Error, "AUN account {Account}: it has ended and isn't tried again until the host is restarted: {Reason}.")]
    private static partial void LogEnded(ILogger logger, string account, string reason);

    [LoggerMessage(LogEvents.ConnectorCreated, LogLevel.Information, "AUN account {Account}: {Aid} is registered; its key lies in the folder of identities.")]
    private static partial void LogCreated(ILogger logger, string account, string aid);

    [LoggerMessage(LogEvents.ConnectorUnchecked, LogLevel.Warning,
        "AUN account {Account}: AUN_ENV (or KITE_ENV) is that of a developer's machine, so the certificates of TLS servers aren't checked; those of the PKI are.")]
    private static partial void LogUnchecked(ILogger logger, string account);

    [LoggerMessage(LogEvents.ConnectorNoPrekey, LogLevel.Warning, "AUN account {Account}: its prekey isn't published, so that nothing sealed can be sent to it: {Reason}.")]
    private static partial void LogNoPrekey(ILogger logger, string account, string reason);
}
