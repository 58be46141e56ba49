using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.InstaClaw.Wire;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>
/// Gets an account registered: while it has no profile the agent is asked to propose one, the proposal waits for the user, and the user's word sends it to
/// the platform. A proposal outlives a restart; whether the agent is at it doesn't.
/// </summary>
internal sealed partial class Registrar(
    string accountId, InstaClawOptions options, ProfileFiles files, PlatformApi platform, IRecords records, IRegistrationAgent? agent, TimeProvider time, ILogger logger)
{
    private const string Namespace = "instaclaw.proposal";
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(10);
    private readonly Lock _gate = new();
    private Proposal? _pending;
    private bool _loaded;
    private bool _agentRunning;
    private bool _submitting;
    private int _fruitless;
    private DateTimeOffset _notBefore;
    private string? _lastError;

    /// <summary>What goes on.</summary>
    public RegistrationState State
    {
        get
        {
            lock (_gate) return new RegistrationState(_pending, _agentRunning, _submitting, _lastError, _notBefore > time.GetUtcNow() ? _notBefore : null);
        }
    }

    /// <summary>Looks whether the agent is to be asked. Called with each look for the profile that finds none.</summary>
    public async Task PollAsync(CancellationToken stop)
    {
        await LoadAsync(stop).ConfigureAwait(false);
        lock (_gate)
        {
            if (_pending is not null || _agentRunning || _submitting || agent is null || !options.AutoPropose || time.GetUtcNow() < _notBefore) return;
            _agentRunning = true;
        }

        _ = AskAsync(stop);
    }

    /// <summary>Makes a proposal; one that waits already stays.</summary>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c>: a field doesn't fit. <c>CONFLICT</c>: the account is registered.</exception>
    public async Task<(Proposal Proposal, bool IsNew)> ProposeAsync(ProfileFields fields, CancellationToken cancellationToken)
    {
        if (fields.Fault() is { } fault) throw BridgeException.Invalid(fault);
        RefuseRegistered();
        await LoadAsync(cancellationToken).ConfigureAwait(false);
        var proposal = new Proposal { Id = $"prop_{Guid.NewGuid():N}", ProposedAt = Now, Fields = fields };
        lock (_gate)
        {
            if (_pending is { } waiting) return (waiting, false);
            _pending = proposal;
            _lastError = null;
        }

        try
        {
            await records.WriteAsync(
                new RecordPut
                {
                    Namespace = Namespace,
                    Key = Key,
                    Value = JsonSerializer.SerializeToUtf8Bytes(proposal, InstaClawJson.Relaxed.Proposal),
                    At = Now,
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            lock (_gate) _pending = null;
            throw;
        }

        LogProposed(logger, accountId, proposal.Id);
        return (proposal, true);
    }

    /// <summary>The user has confirmed: registers at the platform and writes the profile, which the next look finds.</summary>
    /// <exception cref="BridgeException">A field doesn't fit, there is nothing to confirm, or the platform's refusal; then the proposal
    /// is gone and the next one is asked for.</exception>
    public async Task<Profile> SubmitAsync(ProfileFields form, string? proposalId, string? sessionToken, CancellationToken cancellationToken)
    {
        RefuseRegistered();
        await LoadAsync(cancellationToken).ConfigureAwait(false);
        ProfileFields fields;
        string key;
        lock (_gate)
        {
            if (_submitting) throw new BridgeException(ErrorCodes.Conflict, "A registration is under way; wait for its end.");
            EnsureHolder(proposalId);
            fields = form.Over(_pending?.Fields);
            if (fields.Fault() is { } fault)
            {
                throw BridgeException.Invalid(_pending is null ? $"{fault}; no proposal is waiting, so the form must be complete" : fault);
            }

            key = _pending?.Id ?? $"prop_{Guid.NewGuid():N}";
            _submitting = true;
        }

        try
        {
            if (sessionToken is not null) await files.WriteSessionTokenAsync(sessionToken, cancellationToken).ConfigureAwait(false);
            var (profile, newToken) = await platform.RegisterAsync(fields, key, sessionToken ?? files.ReadSessionToken(), cancellationToken).ConfigureAwait(false);
            // From here on nobody's impatience counts: the platform gives these secrets once.
            await files.WriteProfileAsync(profile, CancellationToken.None).ConfigureAwait(false);
            if (newToken is not null) await files.WriteSessionTokenAsync(newToken, CancellationToken.None).ConfigureAwait(false);
            await ForgetAsync(null, TimeSpan.Zero).ConfigureAwait(false);
            LogRegistered(logger, accountId, profile.ClawId);
            return profile;
        }
        catch (Exception fault) when (fault is BridgeException or IOException or UnauthorizedAccessException)
        {
            var reason = fault is BridgeException known ? $"{known.Code}: {known.Message}" : $"the profile can't be written ({fault.GetType().Name})";
            await ForgetAsync(reason, TimeSpan.Zero).ConfigureAwait(false);
            LogFailed(logger, accountId, reason);
            if (fault is BridgeException) throw;
            throw new BridgeException(ErrorCodes.StoreUnavailable, $"The platform has registered the account, but {reason}; check the rights of {files.Folder}.", fault);
        }
        finally
        {
            lock (_gate) _submitting = false;
        }
    }

    /// <summary>The user has declined: after a while the agent is asked again. False: nothing was waiting.</summary>
    public async Task<bool> CancelAsync(string? proposalId, CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken).ConfigureAwait(false);
        lock (_gate)
        {
            if (_submitting) throw new BridgeException(ErrorCodes.Conflict, "The registration is under way and can't be cancelled any more.");
            EnsureHolder(proposalId);
            if (_pending is null) return false;
        }

        await ForgetAsync(null, options.ReproposeDelay).ConfigureAwait(false);
        LogCancelled(logger, accountId);
        return true;
    }

    private string Key => AccountIds.Key(accountId);

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    private async Task AskAsync(CancellationToken stop)
    {
        string? reason = null;
        try
        {
            await agent!.AskAsync(accountId, fields => ProposeAsync(fields, stop), stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return;
        }
        catch (Exception fault)
        {
            // Whatever the agent does, the account keeps looking.
            reason = fault is BridgeException known ? known.Code : fault.GetType().Name;
        }

        TimeSpan pause;
        lock (_gate)
        {
            _agentRunning = false;
            if (_pending is not null)
            {
                _fruitless = 0;
                return;
            }

            // An agent that never proposes isn't asked every ten seconds for ever: that may cost money.
            var ceiling = options.ProfilePollInterval * Math.Pow(2, Math.Min(_fruitless++, 20));
            pause = ceiling < LongestPause ? ceiling : LongestPause;
            _notBefore = time.GetUtcNow() + pause;
            _lastError = $"the agent made no proposal{(reason is null ? "" : $" ({reason})")}";
        }

        LogFruitless(logger, accountId, reason, (long)pause.TotalSeconds);
    }

    /// <summary>Takes up a proposal of before a restart.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_loaded) return;
        }

        var record = await records.GetRecordAsync(Namespace, Key, cancellationToken).ConfigureAwait(false);
        lock (_gate)
        {
            if (!_loaded && record is not null) _pending = JsonSerializer.Deserialize(record.Value.Span, InstaClawJson.Default.Proposal);
            _loaded = true;
        }
    }

    private async Task ForgetAsync(string? reason, TimeSpan pause)
    {
        lock (_gate)
        {
            _pending = null;
            _lastError = reason;
            _fruitless = 0;
            _notBefore = time.GetUtcNow() + pause;
        }

        await records.WriteAsync(new RecordDelete { Namespace = Namespace, Key = Key }, CancellationToken.None).ConfigureAwait(false);
    }

    private void EnsureHolder(string? proposalId)
    {
        if (proposalId is not null && _pending?.Id != proposalId)
        {
            throw new BridgeException(ErrorCodes.Conflict, "This proposal is no longer pending; see instaclaw.registration.get.");
        }
    }

    private void RefuseRegistered()
    {
        if (files.ReadProfile() is not null) throw new BridgeException(ErrorCodes.Conflict, $"The account is registered already; delete {files.ProfilePath} to register it anew.");
        if (files.Problem is { } problem) throw new BridgeException(ErrorCodes.Conflict, $"There is a profile, but {problem}; correct or delete {files.ProfilePath}.");
    }

    [LoggerMessage(LogEvents.RegistrarProposed, LogLevel.Information,
        "InstaClaw account {Account}: registration {Proposal} is proposed and waits for instaclaw.registration.submit or cancel.")]
    private static partial void LogProposed(ILogger logger, string account, string proposal);

    [LoggerMessage(LogEvents.RegistrarRegistered, LogLevel.Information, "InstaClaw account {Account}: registered as {ClawId}.")]
    private static partial void LogRegistered(ILogger logger, string account, string clawId);

    [LoggerMessage(LogEvents.RegistrarFailed, LogLevel.Warning, "InstaClaw account {Account}: the registration failed: {Reason}")]
    private static partial void LogFailed(ILogger logger, string account, string reason);

    [LoggerMessage(LogEvents.RegistrarCancelled, LogLevel.Information, "InstaClaw account {Account}: the proposed registration was cancelled.")]
    private static partial void LogCancelled(ILogger logger, string account);

    [LoggerMessage(LogEvents.RegistrarFruitless, LogLevel.Warning, "InstaClaw account {Account}: the agent proposed no registration ({Reason}); it is asked again in {Seconds} s.")]
    private static partial void LogFruitless(ILogger logger, string account, string? reason, long seconds);
}

/// <summary>Where a registration stands.</summary>
internal readonly record struct RegistrationState(Proposal? Pending, bool AgentRunning, bool Submitting, string? LastError, DateTimeOffset? NotBefore);

/// <summary>Asks an agent to propose a registration.</summary>
internal interface IRegistrationAgent
{
    /// <summary>Runs the agent to its end. It may call the tool itself, meanwhile; a call that it leaves to the host is handed to <paramref name="propose"/>.</summary>
    Task AskAsync(string accountId, Func<ProfileFields, Task> propose, CancellationToken stop);
}
