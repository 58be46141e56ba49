using System.Text.Json;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Wire;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>
/// The conversations that have ever written, for the look-up of a send's target. One record per account and route; a hot conversation is written again
/// after an hour only.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A source without a timer or a wait handle holds nothing once it is cancelled.")]
internal sealed partial class RouteBook(IRecords records, TimeProvider time, ILogger<RouteBook> logger)
{
    public const string Namespace = "bncr.route";

    private const long RewriteAfter = 3_600_000;
    private readonly GenerationCache<(string Account, BncrRoute Route), (string AgentId, long At)> _fresh = new(32_768);

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private Task _counting = Task.CompletedTask;
    private string? _countedUpTo = "";
    private long _known;

    /// <summary>The conversations of all accounts that are known: counted anew at each start, complete a moment after it.</summary>
    public long Known
    {
        get
        {
            lock (_gate) return Math.Max(0, _known);
        }
    }

    /// <summary>Begins to count what the store has. Nothing waits for it.</summary>
    public void Start() => _counting = Task.Run(CountAsync);

    public async ValueTask StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _counting.ConfigureAwait(false);
    }

    /// <summary>
    /// Notes a conversation. A failure to write is logged and no more: the message itself has been taken, and the next one tries again.
    /// </summary>
    public ValueTask TouchAsync(BncrAccount account, SessionKey key)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (_fresh.TryGet((account.Key, key.Route), out var known) && now - known.At < RewriteAfter && known.AgentId == key.AgentId)
        {
            return ValueTask.CompletedTask;
        }

        return WriteAsync(account, key, now);
    }

    /// <summary>The write for a conversation, to be committed with others (import).</summary>
    public static RecordPut Put(BncrAccount account, SessionKey key, long at) => new()
    {
        Namespace = Namespace,
        Key = KeyOf(account, key.Route),
        Index = IndexOf(account, key.Route),
        Value = JsonSerializer.SerializeToUtf8Bytes(
            new KnownRoute
            {
                AccountId = account.DisplayId,
                Platform = key.Route.Platform,
                GroupId = key.Route.GroupId,
                UserId = key.Route.UserId,
                SessionKey = key.Base.ToString(),
                UpdatedAt = at,
            },
            BncrJson.Default.KnownRoute),
        At = at,
    };

    /// <summary>The conversation with this route: written exactly so, or else the only one that differs in case alone. Null when there is none.</summary>
    public async ValueTask<(BncrRoute Route, string SessionKey)?> FindAsync(BncrAccount account, BncrRoute route, CancellationToken cancellationToken)
    {
        if (_fresh.TryGet((account.Key, route), out var known)) return (route, new SessionKey(known.AgentId, route).ToString());
        var record = await records.GetRecordAsync(Namespace, KeyOf(account, route), cancellationToken).ConfigureAwait(false);
        if (record is null)
        {
            var alike = await records.ListRecordsAsync(Namespace, IndexOf(account, route), null, 2, cancellationToken).ConfigureAwait(false);
            if (alike.Count != 1) return null;
            record = alike[0];
        }

        var stored = JsonSerializer.Deserialize(record.Value.Span, BncrJson.Default.KnownRoute);
        return stored is not null && BncrRoute.Create(stored.Platform, stored.GroupId, stored.UserId, out _) is { } found ? (found, stored.SessionKey) : null;
    }

    /// <summary>Forgets an account's conversations; gives their number.</summary>
    public async ValueTask<int> ForgetAsync(BncrAccount account, CancellationToken cancellationToken)
    {
        var prefix = account.Key + "|";
        for (var count = 0; ;)
        {
            var page = await records.ListRecordsAsync(Namespace, null, prefix, 256, cancellationToken).ConfigureAwait(false);
            var ours = page.TakeWhile(record => record.Key.StartsWith(prefix, StringComparison.Ordinal)).ToList();
            if (ours.Count == 0) return count;
            await records.WriteAsync([.. ours.Select(record => new RecordDelete { Namespace = Namespace, Key = record.Key })],
                CancellationToken.None).ConfigureAwait(false);
            foreach (var record in ours)
            {
                if (JsonSerializer.Deserialize(record.Value.Span, BncrJson.Default.KnownRoute) is { } known
                    && BncrRoute.Create(known.Platform, known.GroupId, known.UserId, out _) is { } route) _fresh.Remove(
                        (account.Key, route), out _);
            }

            count += ours.Count;
            lock (_gate) _known -= ours.Count(record => IsCounted(record.Key));
        }
    }

    private async ValueTask WriteAsync(BncrAccount account, SessionKey key, long now)
    {
        try
        {
            var put = Put(account, key, now);
            await records.WriteAsync(put).ConfigureAwait(false);
            if (put.Version == 1) Count(put.Key);
            _fresh.Set((account.Key, key.Route), (key.AgentId, now));
        }
        catch (Exception fault)
        {
            LogNotWritten(logger, fault, account.DisplayId);
        }
    }

    /// <summary>A new one; the count that is under way meets it itself when it stands behind the place that it has come to.</summary>
    private void Count(string key)
    {
        lock (_gate)
        {
            if (IsCounted(key)) _known++;
        }
    }

    /// <summary>True when the count has come past this place. Under the gate.</summary>
    private bool IsCounted(string key) => _countedUpTo is null || string.CompareOrdinal(key, _countedUpTo) <= 0;

    private async Task CountAsync()
    {
        try
        {
            string? after = null;
            while (true)
            {
                var page = await records.ListRecordsAsync(Namespace, null, after, 1000, _stop.Token).ConfigureAwait(false);
                lock (_gate)
                {
                    _known += page.Count;
                    _countedUpTo = page.Count < 1000 ? null : page[^1].Key;
                }

                if (page.Count < 1000) return;
                after = page[^1].Key;
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The host stops.
        }
        catch (Exception fault)
        {
            // For show only: the next start counts anew.
            lock (_gate) _countedUpTo = null;
            LogNotCounted(logger, fault);
        }
    }

    [LoggerMessage(EventId = LogEvents.RouteBookNotCounted, Level = LogLevel.Warning, Message = "Couldn't count the known routes; diagnostics shows fewer than there are")]
    private static partial void LogNotCounted(ILogger logger, Exception fault);

    private static string KeyOf(BncrAccount account, BncrRoute route) => $"{account.Key}|{route.Scope}";

    private static string IndexOf(BncrAccount account, BncrRoute route) => $"{account.Key}|{route.Scope.ToLowerInvariant()}";

    [LoggerMessage(EventId = LogEvents.RouteBookNotWritten, Level = LogLevel.Warning, Message = "Couldn't record a known route of account {Account}")]
    private static partial void LogNotWritten(ILogger logger, Exception fault, string account);
}
