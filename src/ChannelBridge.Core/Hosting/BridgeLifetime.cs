using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Transfers;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Core.Hosting;

/// <summary>
/// The one owner of the start and the stop; nothing else knows the order. Start: store, counts, responses, channels, transfers, messages, doors. Stop: no new
/// work, turns finished or handed back, doors, transfers, channels; the container disposes the store last.
/// </summary>
internal sealed partial class BridgeLifetime(
    IRegistry registry,
    IEnumerable<IContributor> contributors,
    IStore store,
    MessagingService messaging,
    MessagingOptions options,
    ResponseRuns responses,
    ChannelStarts starts,
    ILogger<BridgeLifetime> logger,
    TransferService? transfers = null,
    IDoors? doors = null,
    StoredTokens? tokens = null,
    AccessAudit? audit = null,
    LiveDevices? devices = null)
    : IHostedService
{
    private readonly List<IChannel> _started = [];
    private bool _messagingStarted;
    private bool _responsesStarted;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        registry.Add([.. contributors]);
        await store.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (tokens is not null) await tokens.StartAsync(cancellationToken).ConfigureAwait(false);
        devices?.Start();
        audit?.Start();
        // Before the channels: what one of them accepts in its start is counted once, as it comes.
        await messaging.LoadAsync(cancellationToken).ConfigureAwait(false);
        await responses.StartAsync(cancellationToken).ConfigureAwait(false);
        _responsesStarted = true;
        foreach (var channel in registry.Current.Of<IChannel>()) await StartAsync(channel, cancellationToken).ConfigureAwait(false);
        if (transfers is not null) await transfers.StartAsync(cancellationToken).ConfigureAwait(false);
        await messaging.StartAsync(cancellationToken).ConfigureAwait(false);
        _messagingStarted = true;
        if (doors is not null) await doors.OpenAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        LogStopping();
        if (doors is not null) await doors.StopAcceptingAsync().ConfigureAwait(false);

        // Connections stay open meanwhile: the replies of the last turns are still pushed and acked.
        var answering = _responsesStarted ? responses.StopAsync(options.StopGrace) : Task.CompletedTask;
        if (_messagingStarted) await messaging.StopAsync().ConfigureAwait(false);
        await answering.ConfigureAwait(false);
        if (doors is not null) await doors.CloseAsync(cancellationToken).ConfigureAwait(false);
        if (_messagingStarted && transfers is not null) await transfers.StopAsync().ConfigureAwait(false);
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

        // They read and write the store, which the container closes next.
        if (tokens is not null) await tokens.DisposeAsync().ConfigureAwait(false);
        if (devices is not null) await devices.DisposeAsync().ConfigureAwait(false);
        if (audit is not null) await audit.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StartAsync(IChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            await channel.StartAsync(cancellationToken).ConfigureAwait(false);
            _started.Add(channel);
            starts.Started(channel);
        }
        catch (Exception fault) when (fault is not (OptionsValidationException or OperationCanceledException))
        {
            // Wrong settings stop the start, so that they are seen; any other fault of one channel is that channel's own.
            starts.Failed(channel, fault);
            LogChannelStartFailed(fault, channel.Id);
        }
    }

    [LoggerMessage(EventId = LogEvents.BridgeLifetimeStopping, Level = LogLevel.Information, Message = "Stopping: no new work, finishing what runs")]
    private partial void LogStopping();

    [LoggerMessage(EventId = LogEvents.BridgeLifetimeChannelStopFailed, Level = LogLevel.Error, Message = "Channel {Channel} failed to stop")]
    private partial void LogChannelStopFailed(Exception fault, string channel);

    [LoggerMessage(EventId = LogEvents.BridgeLifetimeChannelStartFailed, Level = LogLevel.Error, Message = "Channel {Channel} failed to start; the others run without it")]
    private partial void LogChannelStartFailed(Exception fault, string channel);
}
