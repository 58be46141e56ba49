using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging.Claims;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <inheritdoc cref="ITurns"/>
/// <remarks>
/// A wish is a record; hosts that share a store tell each other of it, and look at the records every second besides, because a notification may be lost. The
/// host that has the turn ends it: one that runs is stopped, one that waits is ended where it stands.
/// </remarks>
internal sealed partial class Turns(
    IStore store, TurnScheduler scheduler, TurnCancels cancels, TimeProvider time, ILogger<Turns> logger, ILaneClaims? claims = null) : ITurns, IDisposable
{
    private const int Page = 1000;
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private readonly ILaneClaims _claims = claims ?? SingleHostClaims.Instance;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _wanted = new(0);
    private Task _looking = Task.CompletedTask;

    public async ValueTask<bool> CancelAsync(Guid inboxId, CancellationToken cancellationToken = default)
    {
        if (await PendingAsync(inboxId, cancellationToken).ConfigureAwait(false) is null) return false;
        await store.CommitAsync(cancels.Record(inboxId), CancellationToken.None).ConfigureAwait(false);
        // Over in the same moment: then nobody would ever take the record away.
        if (await PendingAsync(inboxId, CancellationToken.None).ConfigureAwait(false) is not { } entry)
        {
            await cancels.ForgetAsync(inboxId).ConfigureAwait(false);
            return false;
        }

        _claims.TellUrgent(inboxId);
        await ActAsync(entry).ConfigureAwait(false);
        return true;
    }

    /// <summary>Another host has cancelled a turn, or accepted a message that passes its lane.</summary>
    public void Hear(Guid turn) => _ = LearnAsync(turn);

    /// <summary>Reads the wishes that outlived the last stop.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        foreach (var turn in await RecordedAsync(cancellationToken).ConfigureAwait(false))
        {
            if (await PendingAsync(turn, cancellationToken).ConfigureAwait(false) is { } entry) cancels.Note(entry);
            else await cancels.ForgetAsync(turn).ConfigureAwait(false);
        }
    }

    /// <summary>Looks at the wishes from now on.</summary>
    public void Start()
    {
        if (cancels.Known.Count > 0) Wake();
        _looking = LookAsync();
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _looking.ConfigureAwait(false);
    }

    public void Dispose()
    {
        _stop.Dispose();
        _wanted.Dispose();
    }

    private async Task LookAsync()
    {
        try
        {
            while (true)
            {
                // A host alone has nothing to look at until somebody cancels something that can't be ended at once.
                if (!_claims.IsShared && cancels.Known.Count == 0) await _wanted.WaitAsync(_stop.Token).ConfigureAwait(false);
                else await Task.Delay(LookInterval, time, _stop.Token).ConfigureAwait(false);
                try
                {
                    await LookOnceAsync().ConfigureAwait(false);
                }
                catch (Exception fault) when (!_stop.IsCancellationRequested)
                {
                    LogLookFailed(logger, CodeOf(fault));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task LookOnceAsync()
    {
        if (_claims.IsShared)
        {
            var recorded = await RecordedAsync(_stop.Token).ConfigureAwait(false);
            cancels.Keep(recorded);
            foreach (var turn in recorded)
            {
                if (!cancels.IsKnown(turn)) await LearnAsync(turn).ConfigureAwait(false);
            }
        }

        foreach (var entry in cancels.Known) await ActAsync(entry).ConfigureAwait(false);
    }

    private async Task LearnAsync(Guid turn)
    {
        try
        {
            if (await PendingAsync(turn, _stop.Token).ConfigureAwait(false) is not { } entry)
            {
                await cancels.ForgetAsync(turn).ConfigureAwait(false);
                return;
            }

            var message = MessageCodec.ReadInbound(entry.Payload.Span);
            if (!scheduler.IsUrgent(message)) await ActAsync(entry).ConfigureAwait(false);
            else scheduler.Hasten(entry.LaneId, entry.Lane, new TurnItem(entry.Id, entry.Ordinal, message, entry.Attempts, 0, entry.Payload.Length), tell: false);
        }
        catch (Exception fault)
        {
            // The next look finds it again.
            if (!_stop.IsCancellationRequested) LogLookFailed(logger, CodeOf(fault));
        }
    }

    private async Task ActAsync(InboxEntry entry)
    {
        if (cancels.Note(entry)) return;
        try
        {
            if (!await scheduler.EndWaitingAsync(entry, "the turn was cancelled before it began", _stop.Token).ConfigureAwait(false))
            {
                Wake();
                return;
            }
        }
        catch (Exception fault)
        {
            // The wish is durable: the next look tries again.
            if (!_stop.IsCancellationRequested) LogLookFailed(logger, CodeOf(fault));
            Wake();
            return;
        }

        await cancels.ForgetAsync(entry.Id).ConfigureAwait(false);
    }

    /// <summary>What is said of a fault in the log: an engine may let through what isn't the bridge's own.</summary>
    private static string CodeOf(Exception fault) => fault is BridgeException known ? known.Code : fault.GetType().Name;

    private void Wake()
    {
        if (!_claims.IsShared && _wanted.CurrentCount == 0) _wanted.Release();
    }

    private async ValueTask<InboxEntry?> PendingAsync(Guid turn, CancellationToken cancellationToken) =>
        await store.GetInboxAsync(turn, cancellationToken).ConfigureAwait(false) is { State: TurnState.Pending } entry ? entry : null;

    private async ValueTask<HashSet<Guid>> RecordedAsync(CancellationToken cancellationToken)
    {
        var all = new HashSet<Guid>();
        string? after = null;
        while (true)
        {
            var page = await store.ListRecordsAsync(TurnCancels.Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (TurnCancels.TryReadKey(record.Key, out var turn)) all.Add(turn);
            }

            if (page.Count < Page) return all;
            after = page[^1].Key;
        }
    }

    [LoggerMessage(LogEvents.TurnsLookFailed, LogLevel.Warning, "Cancelled turns can't be ended now ({Code}); trying again.")]
    private static partial void LogLookFailed(ILogger logger, string code);
}
