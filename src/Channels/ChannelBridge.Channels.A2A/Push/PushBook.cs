using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Tasks;

namespace ChannelBridge.Channels.A2A.Push;

/// <summary>A push configuration as it is kept, with its credentials.</summary>
internal sealed record KeptPush
{
    /// <summary>Where to post.</summary>
    public required string Url { get; init; }

    /// <summary>What the receiver knows the notification by.</summary>
    public string? Token { get; init; }

    /// <summary>The scheme of the <c>Authorization</c> header.</summary>
    public string? Scheme { get; init; }

    /// <summary>What follows it.</summary>
    public string? Credentials { get; init; }

    /// <summary>The version that its receiver expects.</summary>
    public string Version { get; init; } = Versions.V10;
}

/// <summary>Where changes of tasks are posted to. What is read back never has credentials.</summary>
internal sealed class PushBook(IRecords records, IOutbox outbox, IGuardedHttp http, A2AOptions options, TimeProvider time, ILaneClaims? claims = null)
{
    private const string Owed = "a2a.owed";

    private readonly bool _isShared = claims is { IsShared: true };

    // Peers that may have configurations, and tasks of which something is owed: of all others nobody needs to ask the store when a turn ends.
    private readonly ConcurrentDictionary<string, bool> _users = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Peer, string Task), bool> _owing = new();

    // What is owed is put into the outbox at once, or at the next start; what nobody has put there by then is of no use to anybody.
    private static readonly TimeSpan OwedFor = TimeSpan.FromDays(30);

    // Of a task that hasn't ended: no task waits for longer.
    private static readonly TimeSpan OpenFor = TimeSpan.FromDays(366);

    /// <summary>Configurations of one task.</summary>
    public const int MaxPerTask = 16;

    /// <summary>Looks at the start whether a peer has configurations.</summary>
    public async ValueTask LoadAsync(string peer, CancellationToken cancellationToken)
    {
        var first = await records.ListRecordsAsync(Of(peer), null, null, 1, cancellationToken).ConfigureAwait(false);
        if (first.Count > 0) _users[peer] = true;
    }

    /// <summary>Checks a configuration: where it leads, and its sizes.</summary>
    /// <exception cref="A2AException"><c>-32602</c>: it can't be used.</exception>
    public async ValueTask CheckAsync(PushConfig config, CancellationToken cancellationToken)
    {
        if (config.Id is { Length: > 100 }) throw Wrong("The id of a push configuration has at most 100 characters.");
        if (config.Id is { } id && id.Any(static letter => char.IsControl(letter) || letter == '/'))
            throw Wrong("The id of a push configuration has neither slashes nor control characters.");
        if (config.Token is { Length: > 4096 } || config.Authentication?.Credentials is { Length: > 8192 } || config.Authentication?.Scheme is { Length: > 64 })
            throw Wrong("The push configuration's token or credentials are too long.");
        if (!IsHeader(config.Token) || !IsHeader(config.Authentication?.Credentials) || !IsHeader(config.Authentication?.Scheme))
            throw Wrong("The push configuration's token and credentials must be printable ASCII.");
        if (config.Url.Length > 2048 || !Uri.TryCreate(config.Url, UriKind.Absolute, out var url)) throw Wrong("The push configuration's url is no address.");
        try
        {
            await http.CheckAsync(url, options.Networks, cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.InvalidRequest)
        {
            throw Wrong($"The push configuration's url can't be used. {fault.Message}");
        }
        catch (BridgeException)
        {
            // The name can't be looked up now: whether it may be posted to is seen then.
        }
    }

    /// <summary>Looks whether a task takes another configuration, or one of that id again.</summary>
    /// <exception cref="A2AException"><c>-32602</c>: it has as many as it may.</exception>
    public async ValueTask CheckRoomAsync(string peer, string taskId, string id, CancellationToken cancellationToken)
    {
        var there = await records.ListRecordsAsync(Of(peer), taskId, null, MaxPerTask, cancellationToken).ConfigureAwait(false);
        if (there.Count < MaxPerTask || there.Any(record => record.Key == KeyOf(taskId, id))) return;
        throw Wrong($"The task has {MaxPerTask} push configurations, which is the limit; remove one.");
    }

    /// <summary>The write that keeps a configuration for as long as its task.</summary>
    /// <param name="peer">Whose.</param>
    /// <param name="task">Its task.</param>
    /// <param name="config">The configuration, with an id.</param>
    public RecordPut Put(string peer, StoredTask task, PushConfig config) => Put(
        peer,
        task.Task.Id,
        config.Id!,
        JsonSerializer.SerializeToUtf8Bytes(
            new KeptPush
            {
                Url = config.Url,
                Token = config.Token,
                Scheme = config.Authentication?.Scheme,
                Credentials = config.Authentication?.Credentials,
                Version = config.Version ?? Versions.V10,
            },
            RecordJson.Default.KeptPush),
        task.Head.EndedAt);

    /// <summary>A configuration with what is secret, for the post itself.</summary>
    public async ValueTask<KeptPush?> FindAsync(string peer, string taskId, string id, CancellationToken cancellationToken) =>
        id.Length is > 0 and <= 100 && await records.GetRecordAsync(Of(peer), KeyOf(taskId, id), cancellationToken).ConfigureAwait(false) is { } record
            ? JsonSerializer.Deserialize(record.Value.Span, RecordJson.Default.KeptPush)
            : null;

    /// <summary>The configurations of a task, as peers may read them.</summary>
    public async ValueTask<IReadOnlyList<PushConfig>> ListAsync(string peer, string taskId, CancellationToken cancellationToken)
    {
        var found = await records.ListRecordsAsync(Of(peer), taskId, null, MaxPerTask, cancellationToken).ConfigureAwait(false);
        return [.. found.Select(record => Shown(taskId, IdOf(record.Key), JsonSerializer.Deserialize(record.Value.Span, RecordJson.Default.KeptPush)!))];
    }

    /// <summary>A configuration as peers may read it.</summary>
    public static PushConfig Shown(string taskId, string id, KeptPush kept) => new()
    {
        TaskId = taskId,
        Id = id,
        Url = kept.Url,
        Authentication = kept.Scheme is { Length: > 0 } scheme ? new PushAuthentication { Scheme = scheme } : null,
    };

    /// <summary>Removes a configuration.</summary>
    public ValueTask DeleteAsync(string peer, string taskId, string id, CancellationToken cancellationToken) =>
        records.WriteAsync(new RecordDelete { Namespace = Of(peer), Key = KeyOf(taskId, id) }, cancellationToken);

    /// <summary>The writes that remove the configurations of a task that is dropped.</summary>
    public async ValueTask DropAsync(string peer, string taskId, List<RecordWrite> writes, CancellationToken cancellationToken)
    {
        foreach (var record in await records.ListRecordsAsync(Of(peer), taskId, null, MaxPerTask, cancellationToken).ConfigureAwait(false))
            writes.Add(new RecordDelete { Namespace = Of(peer), Key = record.Key });
    }

    /// <summary>
    /// The writes by which a change isn't forgotten: they stand in the commit of the change. What is owed goes when the notifications are in the outbox. An end gives the
    /// configurations the time that the task still has. None: nobody is to be told.
    /// </summary>
    public async ValueTask<IReadOnlyList<RecordWrite>> OweAsync(StoredTask task, CancellationToken cancellationToken)
    {
        var (peer, id) = (task.Peer, task.Task.Id);
        // Another host may have set one.
        if (!_isShared && !_users.ContainsKey(peer)) return [];
        var configs = await records.ListRecordsAsync(Of(peer), id, null, MaxPerTask, cancellationToken).ConfigureAwait(false);
        if (configs.Count == 0) return [];
        _owing[(peer, id)] = true;
        var item = new StreamItem { StatusUpdate = new TaskStatusUpdate { TaskId = id, ContextId = task.Task.ContextId, Status = task.Task.Status } };
        var value = A2ADialect.V10.Item.ToBytes(item);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        // A key of its own for each change, sorted by time: a second change doesn't take the place of one that is still owed.
        var key = string.Create(
            CultureInfo.InvariantCulture, $"{now:x16}-{Convert.ToHexStringLower(SHA256.HashData(value).AsSpan(0, 8))}");
        var writes = new List<RecordWrite>(1 + (task.Ended ? configs.Count : 0))
        {
            new RecordPut
            {
                Namespace = Owed,
                Key = $"{peer}/{id}/{key}",
                Index = $"{peer}/{id}",
                Value = value,
                ExpiresAt = now + (long)OwedFor.TotalMilliseconds,
                At = now,
            },
        };
        // One that was changed or removed meanwhile stays as it is then.
        if (task.Ended) writes.AddRange(configs.Select(config => Put(peer, id, IdOf(config.Key), config.Value, task.Head.EndedAt, config.Version)));
        return writes;
    }

    /// <summary>Puts a task's notifications into the outbox, if a change that was made here owes any.</summary>
    public async Task SettleAsync(string peer, string taskId, CancellationToken cancellationToken)
    {
        if (!_owing.TryRemove((peer, taskId), out _)) return;
        foreach (var owed in await records.ListRecordsAsync(Owed, $"{peer}/{taskId}", null, 200, cancellationToken).ConfigureAwait(false))
            await SettleAsync(owed, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Puts everything that is owed into the outbox; what doesn't go now holds up nothing else. False: something is left that may go later.</summary>
    /// <param name="failed">Told the code and the task of what didn't go.</param>
    /// <param name="cancellationToken">Ends it between two of them.</param>
    public async Task<bool> SettleAllAsync(Action<string, string> failed, CancellationToken cancellationToken)
    {
        string? after = null;
        var all = true;
        while (true)
        {
            var page = await records.ListRecordsAsync(Owed, null, after, 200, cancellationToken).ConfigureAwait(false);
            foreach (var owed in page)
            {
                try
                {
                    await SettleAsync(owed, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception fault) when (fault is not OperationCanceledException)
                {
                    var known = fault as BridgeException;
                    failed(known?.Code ?? fault.GetType().Name, owed.Key[(owed.Key.IndexOf('/', StringComparison.Ordinal) + 1)..]);
                    all &= known is not { Retryable: true };
                }
            }

            if (page.Count < 200) return all;
            after = page[^1].Key;
        }
    }

    private async Task SettleAsync(StoreRecord owed, CancellationToken cancellationToken)
    {
        var parts = owed.Key.Split('/');
        var (peer, taskId, change) = (parts[0], parts[1], parts[2]);
        foreach (var config in await ListAsync(peer, taskId, cancellationToken).ConfigureAwait(false))
        {
            // A lane for each: a receiver that is away holds up nobody else's notifications.
            var message = new OutboundMessage
            {
                Channel = A2AChannel.ChannelId,
                AccountId = peer,
                SessionKey = $"a2a-push:{peer}:{taskId}:{config.Id}",
                Route = KeyOf(taskId, config.Id!),
                Text = System.Text.Encoding.UTF8.GetString(owed.Value.Span),
                Type = "notification",
            };
            var key = $"push/{taskId}/{config.Id}/{change}";
            await outbox.SendAsync(message, key, cancellationToken: cancellationToken).ConfigureAwait(false);
        }

        await records.WriteAsync(new RecordDelete { Namespace = Owed, Key = owed.Key }, cancellationToken).ConfigureAwait(false);
    }

    private RecordPut Put(string peer, string taskId, string id, ReadOnlyMemory<byte> value, long endedAt, long? expected = null)
    {
        // Before it is written: who ends the task next must not miss it.
        _users[peer] = true;
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return new RecordPut
        {
            Namespace = Of(peer),
            Key = KeyOf(taskId, id),
            Index = taskId,
            Value = value,
            ExpectedVersion = expected,
            ExpiresAt = endedAt > 0 ? endedAt + (long)options.Retention.TotalMilliseconds : now + (long)OpenFor.TotalMilliseconds,
            At = now,
        };
    }

    private static string IdOf(string key) => key[(key.IndexOf('/', StringComparison.Ordinal) + 1)..];

    private static bool IsHeader(string? text) => text is null || text.All(static letter => letter is >= ' ' and <= '~');

    private static A2AException Wrong(string message) => new(A2AError.InvalidParams, message);

    private static string KeyOf(string taskId, string id) => $"{taskId}/{id}";

    private static string Of(string peer) => "a2a.push." + peer;
}
