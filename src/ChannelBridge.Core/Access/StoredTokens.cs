using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Access;

/// <summary>
/// The tokens of the store as this host knows them. Their version is read twice a second; a host that can't read it lets none of them in, and after its patience
/// closes what they opened.
/// </summary>
internal sealed partial class StoredTokens(IStore store, AccessOptions options, TimeProvider time, ILogger<StoredTokens> logger) : IAsyncDisposable
{
    private const string VersionNamespace = "access";
    private const string VersionKey = "version";
    private const int Page = 500;
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan UseInterval = TimeSpan.FromMinutes(1);

    private readonly CancellationTokenSource _stop = new();
    private int _disposed;
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly Dictionary<string, long> _usesWritten = new(StringComparer.Ordinal);
    private volatile TokenTable<StoredToken> _table = new([]);
    private StoredToken[] _tokens = [];
    private volatile bool _inTouch;
    private long _version = -1;
    private long _readAt;
    private long _usesAt;
    private Task _watching = Task.CompletedTask;

    /// <summary>Reads the tokens and begins to watch them; the store is open.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _readAt = _usesAt = time.GetTimestamp();
        await RefreshAsync(cancellationToken).ConfigureAwait(false);
        _watching = WatchAsync();
    }

    /// <summary>The caller of a stored token, or null.</summary>
    public Caller? Find(ReadOnlySpan<byte> hash, Door door)
    {
        if (!_inTouch || _table.Find(hash) is not { } token) return null;
        var now = Now();
        return now < token.Until ? token.ToCaller(door, now) : null;
    }

    /// <summary>All records as the store has them.</summary>
    public async ValueTask<List<(TokenRecord Record, long Version)>> ReadAllAsync(CancellationToken cancellationToken)
    {
        var result = new List<(TokenRecord, long)>();
        string? after = null;
        while (true)
        {
            var page = await store.ListRecordsAsync(TokenRecord.Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (JsonSerializer.Deserialize(record.Value.Span, AccessRecordJson.Default.TokenRecord) is { } token) result.Add((token, record.Version));
            }

            if (page.Count < Page) return result;
            after = page[^1].Key;
        }
    }

    /// <summary>One record, or null.</summary>
    public async ValueTask<(TokenRecord Record, long Version)?> ReadAsync(string name, CancellationToken cancellationToken) =>
        await store.GetRecordAsync(TokenRecord.Namespace, KeyOf(name), cancellationToken).ConfigureAwait(false) is { } record
            ? (JsonSerializer.Deserialize(record.Value.Span, AccessRecordJson.Default.TokenRecord)!, record.Version)
            : null;

    /// <summary>Puts a token if its record still has a version (0: there is none); with it goes what else is to be written.</summary>
    /// <returns>False: somebody else was quicker, and nothing was changed.</returns>
    public async ValueTask<bool> PutAsync(TokenRecord record, long expectedVersion, RecordPut audit, CancellationToken cancellationToken)
    {
        var put = new RecordPut
        {
            Namespace = TokenRecord.Namespace,
            Key = KeyOf(record.Name),
            Value = JsonSerializer.SerializeToUtf8Bytes(record, AccessRecordJson.Default.TokenRecord),
            ExpectedVersion = expectedVersion,
            At = Now(),
        };
        // A conflict undoes nothing else of its batch: the version may grow for nothing, but what tells of the change waits until it is one.
        await store.CommitAsync([put, Bump()], cancellationToken).ConfigureAwait(false);
        if (put.Conflict) return false;
        await store.CommitAsync(audit, CancellationToken.None).ConfigureAwait(false);
        await RefreshAsync(CancellationToken.None).ConfigureAwait(false);
        return true;
    }

    /// <summary>Removes a token.</summary>
    public async ValueTask DeleteAsync(string name, RecordPut audit, CancellationToken cancellationToken)
    {
        await store.CommitAsync(
            [
                new RecordDelete { Namespace = TokenRecord.Namespace, Key = KeyOf(name) },
                new RecordDelete { Namespace = TokenUse.Namespace, Key = KeyOf(name) },
                Bump(),
                audit,
            ],
            cancellationToken).ConfigureAwait(false);
        await RefreshAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>When tokens were last used, by name in lower case.</summary>
    public async ValueTask<Dictionary<string, long>> ReadUsesAsync(CancellationToken cancellationToken)
    {
        var result = new Dictionary<string, long>(StringComparer.Ordinal);
        string? after = null;
        while (true)
        {
            var page = await store.ListRecordsAsync(TokenUse.Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page) result[record.Key] = JsonSerializer.Deserialize(record.Value.Span, AccessRecordJson.Default.TokenUse)?.At ?? 0;
            if (page.Count < Page) break;
            after = page[^1].Key;
        }

        foreach (var token in _tokens)
        {
            var key = KeyOf(token.Record.Name);
            result[key] = Math.Max(result.GetValueOrDefault(key), token.UsedAt);
        }

        return result;
    }

    /// <summary>A name as a key.</summary>
    public static string KeyOf(string name) => name.ToLowerInvariant();

    /// <summary>Looks at the store once; what a tick does.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var began = time.GetTimestamp();
            using var late = new CancellationTokenSource(ReadTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
            // A read that hangs is none, whatever the engine makes of the token.
            var version = (await store.GetRecordAsync(VersionNamespace, VersionKey, either.Token).AsTask().WaitAsync(ReadTimeout, time, cancellationToken)
                .ConfigureAwait(false))?.Version ?? 0;
            if (version != _version)
            {
                var records = await ReadAllAsync(either.Token).AsTask().WaitAsync(2 * ReadTimeout, time, cancellationToken).ConfigureAwait(false);
                Take([.. records.Select(record => record.Record)]);
                _version = version;
            }

            Interlocked.Exchange(ref _readAt, began);
            if (!_inTouch) LogInTouch();
            _inTouch = true;
        }
        catch (Exception fault) when (fault is BridgeException or TimeoutException or JsonException
            || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            if (_inTouch || _version < 0) LogOutOfTouch(fault.Message.ReplaceLineEndings(" "));
            _inTouch = false;
        }
        finally
        {
            _reading.Release();
        }

        Expire();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // The end of the host does it before the store is closed, and the container once more.
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _stop.Dispose();
        _reading.Dispose();
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(options.Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                await RefreshAsync(_stop.Token).ConfigureAwait(false);
                if (_inTouch && time.GetElapsedTime(_usesAt) >= UseInterval) await WriteUsesAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private void Take(TokenRecord[] records)
    {
        var now = Now();
        var old = _tokens.ToLookup(token => KeyOf(token.Record.Name), StringComparer.Ordinal);
        var next = new List<StoredToken>();
        foreach (var record in records)
        {
            var known = old[KeyOf(record.Name)].Where(token => token.AllowsSame(record)).ToArray();
            var end = record.ExpiresAt == 0 ? long.MaxValue : record.ExpiresAt;
            Add(record.Hash, end);
            if (record.FormerHash is { } former) Add(former, Math.Min(end, record.FormerUntil));

            void Add(string hex, long until)
            {
                if (until <= now) return;
                var hash = Convert.FromHexString(hex);
                var token = Array.Find(known, token => token.Hash.AsSpan().SequenceEqual(hash)) ?? new StoredToken(record, hash, until);
                token.Until = until;
                next.Add(token);
            }
        }

        Set([.. next]);
    }

    private void Expire()
    {
        var tokens = _tokens;
        if (tokens.Length == 0) return;
        if (!_inTouch && time.GetElapsedTime(Interlocked.Read(ref _readAt)) >= options.Patience)
        {
            LogClosing(tokens.Length);
            // What they are is read anew when the store is back.
            _version = -1;
            Set([]);
            return;
        }

        var now = Now();
        if (Array.Exists(tokens, token => token.Until <= now)) Set([.. tokens.Where(token => token.Until > now)]);
    }

    private void Set(StoredToken[] next)
    {
        var gone = _tokens.Except(next).ToArray();
        _tokens = next;
        _table = new TokenTable<StoredToken>(next.Select(token => (token.Hash, token)));
        foreach (var token in gone) token.Revoke();
    }

    private async Task WriteUsesAsync()
    {
        _usesAt = time.GetTimestamp();
        var writes = new List<StoreWrite>();
        foreach (var group in _tokens.GroupBy(token => KeyOf(token.Record.Name)))
        {
            var at = group.Max(token => token.UsedAt);
            if (at <= _usesWritten.GetValueOrDefault(group.Key)) continue;
            _usesWritten[group.Key] = at;
            writes.Add(new RecordPut
            {
                Namespace = TokenUse.Namespace,
                Key = group.Key,
                Value = JsonSerializer.SerializeToUtf8Bytes(new TokenUse(at), AccessRecordJson.Default.TokenUse),
                At = Now(),
            });
        }

        if (writes.Count == 0) return;
        try
        {
            await store.CommitAsync(writes, _stop.Token).ConfigureAwait(false);
        }
        catch (BridgeException)
        {
            // Told again with the next use.
        }
    }

    private RecordPut Bump() => new() { Namespace = VersionNamespace, Key = VersionKey, Value = "{}"u8.ToArray(), At = Now() };

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(LogEvents.StoredTokensInTouch, LogLevel.Debug, "The store's access tokens are known")]
    private partial void LogInTouch();

    [LoggerMessage(LogEvents.StoredTokensOutOfTouch, LogLevel.Warning, "The store's access tokens can't be read; none of them is let in until they can: {Reason}")]
    private partial void LogOutOfTouch(string reason);

    [LoggerMessage(LogEvents.StoredTokensClosing, LogLevel.Warning, "The store's access tokens couldn't be read for too long; what {Count} of them opened is closed")]
    private partial void LogClosing(int count);
}
