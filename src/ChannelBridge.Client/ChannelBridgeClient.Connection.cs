using System.Net.Sockets;
using System.Net.WebSockets;
using ChannelBridge.Client.Devices;
using ChannelBridge.Client.Internal;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Client;

/// <summary>The loop that keeps the client connected.</summary>
public sealed partial class ChannelBridgeClient
{
    private async Task RunAsync()
    {
        var reached = false;
        long? startsSince = null;
        while (!_stop.IsCancellationRequested)
        {
            ClientSession session;
            try
            {
                session = await OpenAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (ChannelBridgeClientException fault) when (_options.WaitForApproval && fault.Code == ClientErrorCodes.PairingRequired)
            {
                var pairing = PairingRequest.Read(fault.Details);
                // Who is told to wait has arrived: a gateway that restarts meanwhile is no reason to give up.
                reached = true;
                if (SetState(ClientState.WaitingForApproval, pairing)) LogPairing(_endpoint, pairing.RequestId, pairing.Reason);
                if (!await PauseAsync(_options.ApprovalPoll).ConfigureAwait(false)) return;
                continue;
            }
            catch (ChannelBridgeClientException fault) when (IsStarting(fault, ref startsSince))
            {
                LogStarting(_endpoint);
                if (!await WaitAsync(fault.RetryAfter).ConfigureAwait(false)) return;
                continue;
            }
            catch (ChannelBridgeClientException fault)
            {
                if (!fault.Retryable || (!reached && !_options.RetryFirstConnect))
                {
                    Fail(fault);
                    return;
                }

                LogConnectFailed(_endpoint, fault.Code, fault.Message);
                if (!await WaitAsync(fault.RetryAfter).ConfigureAwait(false)) return;
                continue;
            }

            reached = true;
            startsSince = null;
            var since = _time.GetTimestamp();
            await using (session.ConfigureAwait(false))
            {
                SetState(ClientState.Connected);
                CurrentSource().TrySetResult(session);
                LogConnected(_endpoint, session.Server.Version);
                var reason = await WaitForEndAsync(session).ConfigureAwait(false);
                if (reason is null) return;
                _backoff.ConnectionEnded(_time.GetElapsedTime(since));
                LogDisconnected(_endpoint, reason);
                if (!_options.Reconnect)
                {
                    Fail(Retry(ClientErrorCodes.ConnectionLost, $"The connection to the host was lost: {reason}"));
                    return;
                }

                lock (_gate) ReplaceEnded();
                SetState(ClientState.Reconnecting);
            }

            if (!await WaitAsync(null).ConfigureAwait(false)) return;
        }
    }

    /// <summary>Why the session ended; null when the client is being disposed.</summary>
    private async Task<string?> WaitForEndAsync(ClientSession session)
    {
        try
        {
            return await session.Ended.WaitAsync(_stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Waits before the next try; false when the client is being disposed.</summary>
    private async Task<bool> WaitAsync(TimeSpan? atLeast)
    {
        var wait = _backoff.Next();
        if (atLeast is { } asked && asked > wait) wait = asked;
        return await PauseAsync(wait).ConfigureAwait(false);
    }

    private async Task<bool> PauseAsync(TimeSpan wait)
    {
        try
        {
            await Task.Delay(wait, _time, _stop.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>True for a gateway that says that it still starts, for as long as it is given.</summary>
    private bool IsStarting(ChannelBridgeClientException fault, ref long? since)
    {
        if (fault.Code != "UNAVAILABLE" || WireErrors.Text(fault.Details?["reason"]) != "startup-sidecars") return false;
        since ??= _time.GetTimestamp();
        return _time.GetElapsedTime(since.Value) < _options.StartPatience;
    }

    private void Fail(ChannelBridgeClientException fault)
    {
        SetState(ClientState.Failed);
        var source = CurrentSource();
        if (!source.TrySetException(fault))
        {
            lock (_gate) _connected = source = NewSource();
            source.TrySetException(fault);
        }

        foreach (var subscription in _subscriptions) subscription.Complete(fault);
    }

    private async Task<ClientSession> OpenAsync()
    {
        using var timeout = new CancellationTokenSource(_options.ConnectTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, timeout.Token);
        var token = await ReadTokenAsync(both.Token).ConfigureAwait(false);
        var login = new DeviceLogin(_options, _endpoint, _logger);
        while (true)
        {
            var session = new ClientSession(_makeTransport(), MakeDialect(login), _options.MaxPendingCalls, Deliver);
            try
            {
                await session.OpenAsync(token, both.Token).ConfigureAwait(false);
                foreach (var handshake in _handshakes) await handshake(session, both.Token).ConfigureAwait(false);
                return session;
            }
            catch (Exception fault)
            {
                await session.DisposeAsync().ConfigureAwait(false);
                if (_stop.IsCancellationRequested) throw new OperationCanceledException(_stop.Token);
                if (await login.RefusedAsync(fault, _stop.Token).ConfigureAwait(false)) continue;
                throw Explain(fault, timeout.IsCancellationRequested);
            }
        }
    }

    private Exception Explain(Exception fault, bool timedOut) => fault switch
    {
        _ when timedOut => Retry(ClientErrorCodes.Timeout, $"{_endpoint} didn't answer the connection within "
            + $"{_options.ConnectTimeout.TotalSeconds:0.#} s", fault),
        ChannelBridgeClientException { Code: ClientErrorCodes.ConnectionLost } =>
            Retry(ClientErrorCodes.Unreachable, $"{_endpoint} closed the connection before it accepted the client: {fault.Message}", fault),
        ChannelBridgeClientException => fault,
        WebSocketException or SocketException or IOException or HttpRequestException or TimeoutException =>
            ConnectFaults.IsForbidden(fault)
                ? new ChannelBridgeClientException(ClientErrorCodes.Unreachable,
                    $"{_endpoint} belongs to another user, who alone may open it", fault)
                : Retry(ClientErrorCodes.Unreachable, $"{_endpoint} can't be reached: {ConnectFaults.Describe(fault, _endpoint)}", fault),
        UnauthorizedAccessException => new ChannelBridgeClientException(ClientErrorCodes.Unreachable,
            $"{_endpoint} belongs to another user, who alone may open it", fault),
        _ => new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, $"{_endpoint}: {fault.Message}", fault),
    };

    private static ChannelBridgeClientException Retry(string code, string message, Exception? cause = null) => new(code, message, cause) { Retryable = true };

    private async Task<string?> ReadTokenAsync(CancellationToken cancellationToken)
    {
        if (_options.TokenFile is not { } file) return string.IsNullOrEmpty(_options.Token) ? null : _options.Token;
        try
        {
            await foreach (var line in File.ReadLinesAsync(file, cancellationToken).ConfigureAwait(false))
            {
                if (line.Trim() is { Length: > 0 } token) return token;
                break;
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ChannelBridgeClientException(ClientErrorCodes.TokenUnreadable, $"The token file {file} can't be read: {fault.Message}", fault)
            {
                // A host that starts for the first time makes the file.
                Retryable = fault is FileNotFoundException or DirectoryNotFoundException,
            };
        }

        throw new ChannelBridgeClientException(ClientErrorCodes.TokenUnreadable, $"The first line of the token file {file} is empty.");
    }

    private IClientDialect MakeDialect(DeviceLogin login) => _endpoint.Kind == EndpointKind.OpenClaw ? new OpenClawDialect(_options, login) : new JsonRpcDialect();

    private IClientTransport MakeTransport() => _endpoint.Kind switch
    {
        EndpointKind.UnixSocket => StreamTransport.OnUnixSocket(_endpoint.Address, _options.MaxMessageBytes),
        EndpointKind.Pipe => StreamTransport.OnPipe(_endpoint.Address, _options.MaxMessageBytes),
        _ => new WebSocketTransport(new Uri(_endpoint.Address), _options.KeepAlive, _options.MaxMessageBytes, Pinned),
    };

    private byte[]? Pinned => Fingerprint.TryParse(_options.TlsFingerprint, out var pinned) ? pinned : null;

    private void Deliver(ClientEvent incoming)
    {
        foreach (var subscription in _subscriptions) subscription.Offer(incoming);
    }

    [LoggerMessage(EventId = LogEvents.ChannelBridgeClientPairing, Level = LogLevel.Warning,
        Message = "{Endpoint} waits for an operator to approve this device: request {RequestId} ({Reason})")]
    private partial void LogPairing(Endpoint endpoint, string? requestId, string? reason);

    [LoggerMessage(EventId = LogEvents.ChannelBridgeClientStarting, Level = LogLevel.Information, Message = "{Endpoint} is still starting")]
    private partial void LogStarting(Endpoint endpoint);

    [LoggerMessage(EventId = LogEvents.ChannelBridgeClientConnected, Level = LogLevel.Information, Message = "Connected to {Endpoint} (version {Version})")]
    private partial void LogConnected(Endpoint endpoint, string version);

    [LoggerMessage(EventId = LogEvents.ChannelBridgeClientDisconnected, Level = LogLevel.Warning, Message = "Lost the connection to {Endpoint}: {Reason}")]
    private partial void LogDisconnected(Endpoint endpoint, string reason);

    [LoggerMessage(EventId = LogEvents.ChannelBridgeClientConnectFailed, Level = LogLevel.Warning, Message = "Can't connect to {Endpoint}: {Code} {Reason}")]
    private partial void LogConnectFailed(Endpoint endpoint, string code, string reason);
}
