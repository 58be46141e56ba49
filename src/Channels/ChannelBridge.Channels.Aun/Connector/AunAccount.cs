using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>One account: its connection, what comes and what goes.</summary>
internal sealed partial class AunAccount : IDisposable
{
    private readonly CancellationTokenSource _pushing = new();
    private readonly IOutbox _outbox;
    private readonly IHostClaims _claims;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Puts one together.</summary>
    public AunAccount(string id, AunAccountOptions account, AunOptions options, RefusalBook refusals, ConnectorParts parts)
    {
        (Id, Options) = (id, account);
        (_outbox, _claims, _time) = (parts.Outbox, parts.Claims, parts.Time);
        _logger = parts.Loggers.CreateLogger<AunAccount>();
        Link = new AunLink(id, account, options, parts.Dialer, parts.Records, parts.Time, parts.Random, parts.Loggers.CreateLogger<AunLink>());
        Desk = new MessageDesk(
            id, account.Aid!, account.Agent ?? options.Agent, account.SlotId, parts.Inbox, parts.Outbox, parts.Records, parts.Gateway, refusals, parts.Time,
            parts.Loggers.CreateLogger<MessageDesk>());
        Backlog = new BacklogReader(
            id, Desk, account.DeliveryMode == AunDeliveryMode.Fanout, options.Connector, parts.Time, parts.Loggers.CreateLogger<BacklogReader>());
        Pushes = new AunPushes(id, account, Link, parts.Outbox, options.Connector, parts.Time, _pushing.Token);
        Link.Pushed = Backlog.Push;
        Link.Identified = () => (Desk.DeviceId, Desk.Sealer) = (Link.DeviceId, Link.Sealer);
        Link.Changed = OnChanged;
    }

    /// <summary>Its id in its display case.</summary>
    public string Id { get; }

    /// <summary>Its settings.</summary>
    public AunAccountOptions Options { get; }

    /// <summary>Its AID.</summary>
    public string Aid => Options.Aid!;

    /// <summary>Its connection.</summary>
    public AunLink Link { get; }

    /// <summary>Takes its messages.</summary>
    public MessageDesk Desk { get; }

    /// <summary>Keeps them in order.</summary>
    public BacklogReader Backlog { get; }

    /// <summary>Sends.</summary>
    public AunPushes Pushes { get; }

    /// <summary>Lives until it is told to stop; what has come by then is still taken, until <paramref name="giveUp"/>.</summary>
    public async Task RunAsync(CancellationToken stop, CancellationToken giveUp)
    {
        var taking = Backlog.RunAsync(giveUp);
        var claim = _claims.Take($"{AunChannel.ChannelId}/{Id.ToLowerInvariant()}");
        try
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    var lost = await claim.HeldAsync(stop).ConfigureAwait(false);
                    using var life = CancellationTokenSource.CreateLinkedTokenSource(stop, lost);
                    await Link.RunAsync(life.Token).ConfigureAwait(false);
                }
                catch (Exception fault) when (!stop.IsCancellationRequested)
                {
                    // Nothing is expected here; a host that goes on without its account would be worse than a line in the log.
                    LogFailed(_logger, fault, Id);
                    await Task.Delay(TimeSpan.FromSeconds(5), _time, stop).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
        finally
        {
            _outbox.Detach(AunChannel.ChannelId, Id, Pushes);
            await _pushing.CancelAsync().ConfigureAwait(false);
            Link.Close();
            await claim.DisposeAsync().ConfigureAwait(false);
            Backlog.Complete();
            await taking.ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Link.Dispose();
        _pushing.Dispose();
    }

    private void OnChanged(GatewaySocket? socket)
    {
        if (socket is null)
        {
            _outbox.Detach(AunChannel.ChannelId, Id, Pushes);
            return;
        }

        Backlog.Connected(socket);
        _outbox.Attach(AunChannel.ChannelId, Id, Pushes);
    }

    [LoggerMessage(LogEvents.ConnectorAccountFailed, LogLevel.Error, "AUN account {Account}: its connection has failed in an unexpected way; it begins anew.")]
    private static partial void LogFailed(ILogger logger, Exception fault, string account);
}

/// <summary>What accounts are made of.</summary>
internal sealed record ConnectorParts(
    IDialer Dialer, IInbox Inbox, IOutbox Outbox, IRecords Records, IHostClaims Claims, IGatewayAdmission? Gateway, TimeProvider Time, Random Random, ILoggerFactory Loggers);
