using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Endpoints;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// Starts and stops the parts in the order that loses nothing. Start: store, channels, messages, and then the doors, which are started after this
/// service. Stop: no new work, turns finished or handed back, outbox, channels; the container disposes the store last.
/// </summary>
internal sealed partial class HostLifetime(
    IStore store,
    MessagingService messaging,
    MessagingOptions options,
    ResponseRuns responses,
    TransferService transfers,
    IEnumerable<IChannel> channels,
    EndpointDoors doors,
    HostState state,
    ILogger<HostLifetime> logger)
    : IHostedService
{
    private readonly List<IChannel> _started = [];
    private bool _messagingStarted;
    private bool _responsesStarted;

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await store.OpenAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            throw new HostStartException(ExitCodes.Store, $"the store can't be opened: {fault.Message} ({fault.Code})", fault);
        }

        await responses.StartAsync(cancellationToken).ConfigureAwait(false);
        _responsesStarted = true;
        foreach (var channel in channels)
        {
            await channel.StartAsync(cancellationToken).ConfigureAwait(false);
            _started.Add(channel);
        }

        await transfers.StartAsync(cancellationToken).ConfigureAwait(false);
        await messaging.StartAsync(cancellationToken).ConfigureAwait(false);
        _messagingStarted = true;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        state.Stopping();
        LogStopping();
        await doors.StopAcceptingAsync().ConfigureAwait(false);

        // Connections stay open meanwhile: the replies of the last turns are still pushed and acked.
        var answering = _responsesStarted ? responses.StopAsync(options.StopGrace) : Task.CompletedTask;
        if (_messagingStarted) await messaging.StopAsync().ConfigureAwait(false);
        await answering.ConfigureAwait(false);
        await doors.CloseAsync(cancellationToken).ConfigureAwait(false);
        if (_messagingStarted) await transfers.StopAsync().ConfigureAwait(false);
        foreach (var channel in Enumerable.Reverse(_started))
        {
            try
            {
                await channel.StopAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception fault)
            {
                // The other channels and the store must be stopped whatever one channel does.
                LogChannelStopFailed(fault, channel.Id);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping: no new work, finishing what runs")]
    private partial void LogStopping();

    [LoggerMessage(Level = LogLevel.Error, Message = "Channel {Channel} failed to stop")]
    private partial void LogChannelStopFailed(Exception fault, string channel);
}
