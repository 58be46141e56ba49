using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Endpoints.Doors;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints;

/// <summary>
/// Opens the local doors when the host starts, looks after the connections of all doors, and closes them in order: first nobody comes in, then
/// running requests end, then each client is told (1012 <c>service restart</c>).
/// </summary>
internal sealed partial class EndpointDoors : IDoors, IAsyncDisposable
{
    private readonly EndpointRuntime _runtime;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly ILogger _logger;
    private readonly List<LocalEndpoint> _endpoints = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly EndpointGauges _gauges;
    private Task _sweeping = Task.CompletedTask;
    private Task? _closing;

    public EndpointDoors(EndpointRuntime runtime, IHostApplicationLifetime lifetime, ILogger<EndpointDoors> logger)
    {
        _runtime = runtime;
        _lifetime = lifetime;
        _logger = logger;
        _gauges = new EndpointGauges(runtime.Connections);
    }

    /// <summary>Open connections of all doors.</summary>
    public int Connections => _runtime.Connections.Count;

    /// <summary>Opens the socket or pipe and standard input and output, as the options say.</summary>
    /// <exception cref="IOException">A door can't be opened.</exception>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        // A method that stands twice must stop the host at its start, not at the first request.
        _ = _runtime.Router.Methods;
        _sweeping = SweepAsync();
        if (_runtime.Options.SocketPath is { } path)
        {
            await OpenAsync(OperatingSystem.IsWindows()
                ? new NamedPipeEndpoint(_runtime, EndpointOptions.GetPipeName(path))
                : new UnixSocketEndpoint(_runtime, Path.GetFullPath(path))).ConfigureAwait(false);
        }

        if (_runtime.Options.Stdio) await OpenAsync(new StdioEndpoint(_runtime, _lifetime)).ConfigureAwait(false);
    }

    /// <summary>Lets nobody in any more. Open connections go on, pushes and acks included.</summary>
    public async Task StopAcceptingAsync()
    {
        _runtime.Connections.Stop();
        foreach (var endpoint in _endpoints) await endpoint.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Closes everything in order: nobody comes in, new requests are answered <c>UNAVAILABLE</c> (retryable), running ones may end within
    /// <see cref="EndpointLimits.StopTimeout"/>, then every connection is closed with 1012. May be called more than once.
    /// </summary>
    /// <param name="cancellationToken">Hurries: running requests are given up.</param>
    public Task CloseAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate) return _closing ??= CloseOnceAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        _gauges.Dispose();
        _stop.Dispose();
    }

    private async Task OpenAsync(LocalEndpoint endpoint)
    {
        await endpoint.OpenAsync().ConfigureAwait(false);
        _endpoints.Add(endpoint);
        LogOpened(endpoint.Description);
    }

    private async Task CloseOnceAsync(CancellationToken cancellationToken)
    {
        _runtime.Connections.Stop();
        var connections = _runtime.Connections.All;
        var exchanges = _runtime.Exchanges.All;
        // Nothing else would end a stream.
        foreach (var exchange in exchanges.Where(exchange => exchange.IsLong)) exchange.Stop();
        LogClosing(connections.Count);
        var idle = Task.WhenAll([.. connections.Select(connection => connection.DrainAsync()), .. exchanges.Select(exchange => exchange.Ended)]);
        await StopAcceptingAsync().ConfigureAwait(false);
        await idle.WaitAsync(_runtime.Limits.StopTimeout, _runtime.Time, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var connection in connections)
        {
            (connection as OpenClawConnection)?.AnnounceShutdown();
            connection.Close(1012, "service restart");
        }

        foreach (var exchange in exchanges) exchange.Stop();
        // A connection gives itself up after its own time-outs; this one only guards against standard input, whose reads nothing ends.
        await Task.WhenAll([.. connections.Select(connection => connection.Ended), .. exchanges.Select(exchange => exchange.Ended)])
            .WaitAsync(3 * _runtime.Limits.CloseTimeout, _runtime.Time, CancellationToken.None)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var exchange in exchanges.Where(exchange => !exchange.Ended.IsCompleted)) exchange.Abort();
        await _stop.CancelAsync().ConfigureAwait(false);
        await _sweeping.ConfigureAwait(false);
    }

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), _runtime.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                foreach (var connection in _runtime.Connections.All) connection.Sweep();
                foreach (var exchange in _runtime.Exchanges.All) exchange.Sweep();
            }
        }
        catch (OperationCanceledException)
        {
            // The doors are closed.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening on {Door}")]
    private partial void LogOpened(string door);

    [LoggerMessage(Level = LogLevel.Information, Message = "Closing {Count} connections")]
    private partial void LogClosing(int count);
}
