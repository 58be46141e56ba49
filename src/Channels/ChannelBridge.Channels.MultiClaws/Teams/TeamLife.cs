using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.MultiClaws.Profile;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>The teams' part of the channel's life: reads them, tells members what has changed about this host, and takes what other hosts of the store have changed.</summary>
internal sealed partial class TeamLife(
    TeamBook book,
    TeamSpread spread,
    TeamDesk desk,
    OwnProfile profile,
    Onboarding onboarding,
    IHostAddresses? addresses,
    TimeProvider time,
    ILogger<TeamLife> logger,
    ILaneClaims? claims,
    IHostClaims? holders,
    IGatewayAdmission? gateway) : IDiagnosticsSource, IDisposable
{
    private static readonly TimeSpan s_untilOpen = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_sharedPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;
    private IHostClaim? _holder;
    private volatile bool _begun;
    private string? _said;

    /// <inheritdoc/>
    public string Section => "teams";

    /// <summary>Begins.</summary>
    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await BeginAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            // A host whose key for the teams' secrets is lost does everything else; the calls say what is wrong.
            Say(fault);
        }

        _running = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Ends.</summary>
    public async ValueTask StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        if (_holder is { } claim) await claim.DisposeAsync().ConfigureAwait(false);
        await spread.StopAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken) => ValueTask.FromResult(new JsonObject
    {
        ["teams"] = book.Teams.Count,
        ["members"] = book.Teams.Sum(static team => team.Table.Members.Count),
        ["membersNotToldYet"] = spread.Owed,
        ["profileComplete"] = OwnProfile.IsComplete(profile.Known),
    });

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    private async ValueTask BeginAsync(CancellationToken cancellationToken)
    {
        if (_begun) return;
        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        await profile.StartAsync(cancellationToken).ConfigureAwait(false);
        spread.Start();
        _begun = true;
    }

    // Once for each reason, not every few seconds.
    private void Say(BridgeException fault)
    {
        if (_said == fault.Message) return;
        _said = fault.Message;
        LogNotRefreshed(fault.Code, fault.Message);
    }

    private async Task RunAsync()
    {
        try
        {
            // The listeners open after the channels have started.
            for (var i = 0; desk.SelfUrl is null && addresses is not null && i < s_pause / s_untilOpen; i++) await Task.Delay(s_untilOpen, time, _stop.Token).ConfigureAwait(false);
            while (true)
            {
                try
                {
                    await BeginAsync(_stop.Token).ConfigureAwait(false);
                    if (claims is { IsShared: true })
                    {
                        await book.RefreshAsync(_stop.Token).ConfigureAwait(false);
                        await profile.ReadAsync(_stop.Token).ConfigureAwait(false);
                        // A claim is written anew all the time: none where there is nothing to say.
                        if (book.Teams.Count > 0) _holder ??= holders?.Take("multiclaws/teams");
                        desk.MayMove = _holder is null or { IsHeld: true };
                    }

                    await desk.TellOwnAsync(_stop.Token).ConfigureAwait(false);
                    // Without a gateway there is nobody to tell: nothing is to wait in the outbox for one that may never come.
                    if (gateway is { IsConnected: true }) await onboarding.TellMainAsync(_stop.Token).ConfigureAwait(false);
                }
                catch (BridgeException fault)
                {
                    Say(fault);
                }

                await Task.Delay(claims is { IsShared: true } ? s_sharedPause : s_pause, time, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    [LoggerMessage(LogEvents.TeamsNotRefreshed, LogLevel.Warning, "The teams can't be looked after now ({Code}): {Problem} It is tried again")]
    private partial void LogNotRefreshed(string code, string problem);
}
