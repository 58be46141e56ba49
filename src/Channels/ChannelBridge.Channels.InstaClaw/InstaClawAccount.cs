using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Channels.InstaClaw.Connection;
using ChannelBridge.Channels.InstaClaw.Messages;
using ChannelBridge.Channels.InstaClaw.Registration;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>
/// One account at work: it looks for its profile every few seconds, connects when there is one, connects anew when it has changed, and asks for a registration
/// while there is none.
/// </summary>
internal sealed partial class InstaClawAccount(
    string id,
    InstaClawOptions options,
    ProfileFiles files,
    Func<RequestDesk, BrokerConnection> connect,
    RequestDesk desk,
    Registrar registrar,
    PlatformApi platform,
    Func<IHostClaim> take,
    TimeProvider time,
    ILogger logger) : IDisposable
{
    private readonly BrokerConnection _connection = connect(desk);
    private volatile Profile? _profile;
    private volatile bool _stopped;

    /// <summary>The id in its display case.</summary>
    public string Id => id;

    /// <summary>The account's secrets.</summary>
    public ProfileFiles Files => files;

    /// <summary>The connection.</summary>
    public BrokerConnection Connection => _connection;

    /// <summary>The connection's state as it is named on the wire.</summary>
    public string ConnectionName => (_profile is null && !_stopped ? ConnectionState.Waiting : _connection.State).ToString().ToLowerInvariant();

    /// <summary>The requests.</summary>
    public RequestDesk Desk => desk;

    /// <summary>The registration.</summary>
    public Registrar Registrar => registrar;

    /// <summary>The platform's HTTP API.</summary>
    public PlatformApi Platform => platform;

    /// <summary>The profile as it was found last; null while there is none.</summary>
    public Profile? Profile => _profile;

    /// <summary>Runs until told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        // Of several hosts one serves the account: the others hold back until it is theirs.
        var claim = take();
        await using var given = claim.ConfigureAwait(false);
        try
        {
            await claim.HeldAsync(stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            _stopped = true;
            return;
        }

        var requests = desk.RunAsync(stop);
        var living = Task.CompletedTask;
        CancellationTokenSource? life = null;
        using var timer = new PeriodicTimer(options.ProfilePollInterval, time);
        try
        {
            do
            {
                try
                {
                    var found = files.ReadProfile();
                    if (!SameCredentials(found, _profile) && life is not null)
                    {
                        LogProfileChanged(logger, id, found is null ? "gone" : "another one");
                        await life.CancelAsync().ConfigureAwait(false);
                        await living.ConfigureAwait(false);
                        life.Dispose();
                        life = null;
                    }

                    _profile = found;
                    if (found is not null && life is null)
                    {
                        life = CancellationTokenSource.CreateLinkedTokenSource(stop);
                        living = LiveAsync(claim, () => _profile ?? found, life.Token);
                    }
                    else if (found is null && files.Problem is null && claim.IsHeld)
                    {
                        await registrar.PollAsync(stop).ConfigureAwait(false);
                    }
                }
                catch (Exception fault) when (!stop.IsCancellationRequested)
                {
                    // One bad round costs one interval.
                    LogPollFailed(logger, fault, id);
                }
            }
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
        finally
        {
            await living.ConfigureAwait(false);
            await requests.ConfigureAwait(false);
            _stopped = true;
            life?.Dispose();
        }
    }

    private async Task LiveAsync(IHostClaim claim, Func<Profile> profile, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                var lost = await claim.HeldAsync(stop).ConfigureAwait(false);
                using var life = CancellationTokenSource.CreateLinkedTokenSource(stop, lost);
                await _connection.RunAsync(profile, life.Token).ConfigureAwait(false);
                stop.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
    }

    public void Dispose() => desk.Dispose();

    private static bool SameCredentials(Profile? left, Profile? right) =>
        left is null ? right is null : right is not null && left.AppKey == right.AppKey && left.AppSecret == right.AppSecret && left.ClawId == right.ClawId;

    [LoggerMessage(5111, LogLevel.Information, "InstaClaw account {Account}: its profile is {What}; the connection is closed.")]
    private static partial void LogProfileChanged(ILogger logger, string account, string what);

    [LoggerMessage(5112, LogLevel.Error, "InstaClaw account {Account}: looking for its profile failed.")]
    private static partial void LogPollFailed(ILogger logger, Exception fault, string account);
}
