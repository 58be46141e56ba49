using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Supervision;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// What a plugin's process may call. Everything it names is checked to be its own: channels, accounts, conversations, records, events.
/// Wrong calls are refused with a code and change nothing.
/// </summary>
internal sealed partial class PluginDesk(
    PluginManifest manifest,
    IReadOnlyDictionary<string, PluginChannel> channels,
    PluginLink link,
    Func<string, string> agentOf,
    IInbox inbox,
    IOutbox outbox,
    IRecords store,
    IEventHub events,
    ILogger logger,
    Func<string, string> mask,
    TimeProvider time,
    PluginLines lines,
    ISpool? spool,
    IResponseRuns? runs) : IPluginHost
{
    private const int MaxKey = 300;
    private const int MaxName = 512;
    private const int MaxAccounts = 256;
    private const int MaxAccountId = 100;
    private const int MaxSmall = 16 * 1024;
    private const int MaxWrites = 100;
    private static readonly TimeSpan LongestWindow = TimeSpan.FromDays(90);
    private readonly Dictionary<(string Channel, string Account), PluginPushTarget> _targets = [];
    private volatile JsonObject? _diagnostics;
    private volatile bool _starting;

    /// <summary>What the plugin said for diagnostics.</summary>
    public JsonObject? Diagnostics => _diagnostics;

    public async Task<PluginAccepted> AcceptAsync(
        PluginInbound message, string key, long windowMs, IReadOnlyList<PluginRecordWrite>? records, CancellationToken cancellationToken)
    {
        Given(message, "message");
        var (channel, account) = Own(message.Channel, message.AccountId);
        OwnSession(channel, message.SessionKey);
        Bounded(key, MaxKey, "key");
        Bounded(message.Route, MaxName, "message.route");
        Bounded(message.SenderId, MaxName, "message.senderId");
        if (windowMs <= 0 || windowMs > LongestWindow.TotalMilliseconds)
            throw BridgeException.Invalid($"windowMs is 1 to {LongestWindow.TotalMilliseconds:0}");
        var files = await FindFilesAsync(channel.Id, account, message.Attachments, cancellationToken).ConfigureAwait(false);
        var receipt = await inbox.AcceptAsync(
            PluginMapping.FromWire(message, account, AgentFor(channel.Id, message.Agent), Activity.Current?.Id) with { Attachments = files },
            PluginMapping.Key(channel.Id, account, key), TimeSpan.FromMilliseconds(windowMs), Riding(records), cancellationToken).ConfigureAwait(false);
        await KeepAsync(files, SpoolUse.Inbox, receipt.Id).ConfigureAwait(false);
        channel.SawInbound(time.GetUtcNow());
        return new PluginAccepted(receipt.Id, receipt.Duplicate);
    }

    public async Task<string> AckAsync(PluginAck ack, IReadOnlyList<PluginRecordWrite>? records, CancellationToken cancellationToken)
    {
        Given(ack, "ack");
        var (channel, account) = Own(ack.Channel, ack.AccountId);
        // The reason stands in the message's history.
        if (ack.Error is { } reason) ack = ack with { Error = mask(reason) };
        var riding = Riding(records);
        var places = link.Current?.Places;
        places?.Enter();
        try
        {
            return PluginMapping.ToWire(await outbox.AckAsync(PluginMapping.ToAck(ack, channel.Id, account), riding, cancellationToken).ConfigureAwait(false));
        }
        finally
        {
            places?.Leave();
        }
    }

    public async Task<PluginSent> SendAsync(
        PluginOutbound message, string key, IReadOnlyList<PluginRecordWrite>? records, CancellationToken cancellationToken)
    {
        Given(message, "message");
        var (channel, account) = Own(message.Channel, message.AccountId);
        OwnSession(channel, message.SessionKey);
        Bounded(key, MaxKey, "key");
        Bounded(message.Route, MaxName, "message.route");
        var ownKey = $"plugin:{manifest.Id}:{key}";
        var files = message.Attachment is null ? null : await FindFilesAsync(channel.Id, account, [message.Attachment], cancellationToken).ConfigureAwait(false);
        // Before the send: its file must not go while it waits.
        await KeepAsync(files, SpoolUse.Outbox, MessageIds.ForOutbox(channel.Id, account, ownKey)).ConfigureAwait(false);
        var receipt = await outbox.SendAsync(
            PluginMapping.FromWire(message, account) with { Attachment = files?[0] }, ownKey, Riding(records), cancellationToken).ConfigureAwait(false);
        return new PluginSent(receipt.Id, receipt.Duplicate, receipt.Seq);
    }

    public Task AttachAsync(string channel, string accountId, CancellationToken cancellationToken)
    {
        var (own, account) = Own(channel, accountId);
        if (link.Current is not { } live) return Task.CompletedTask;
        PluginPushTarget? target;
        lock (_targets)
        {
            var key = (own.Id, account.ToLowerInvariant());
            // The same again only wakes the flush.
            if (!_targets.TryGetValue(key, out target)) _targets[key] = target = new PluginPushTarget(own, live, manifest.Id, outbox, time, Remember, mask);
        }

        outbox.Attach(own.Id, account, target);
        return Task.CompletedTask;
    }

    public Task DetachAsync(string channel, string accountId, CancellationToken cancellationToken)
    {
        var (own, account) = Own(channel, accountId);
        PluginPushTarget? target;
        lock (_targets)
        {
            _targets.Remove((own.Id, account.ToLowerInvariant()), out target);
        }

        if (target is not null) outbox.Detach(own.Id, account, target);
        return Task.CompletedTask;
    }

    public Task ReportAccountsAsync(string channel, IReadOnlyList<PluginAccount> accounts, CancellationToken cancellationToken)
    {
        Report(channel, accounts);
        return Task.CompletedTask;
    }

    public async Task<PluginRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken)
    {
        OwnRecords(ns);
        Bounded(key, MaxName, "key");
        return await store.GetRecordAsync(ns, key, cancellationToken).ConfigureAwait(false) is { } record ? ToWire(record) : null;
    }

    public async Task<IReadOnlyList<PluginRecord>> ListRecordsAsync(
        string ns, string? index, string? after, int limit, CancellationToken cancellationToken)
    {
        OwnRecords(ns);
        var found = await store.ListRecordsAsync(ns, index, after, limit <= 0 ? 100 : Math.Min(limit, 1000), cancellationToken)
            .ConfigureAwait(false);
        return [.. found.Select(ToWire)];
    }

    public async Task<IReadOnlyList<PluginRecordWritten>> WriteRecordsAsync(
        IReadOnlyList<PluginRecordWrite> writes, CancellationToken cancellationToken)
    {
        Given(writes, "writes");
        if (writes.Count is 0 or > MaxWrites) throw BridgeException.Invalid($"writes has 1 to {MaxWrites} changes");
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var batch = writes.Select(write => FromWire(write, now)).ToArray();
        await store.WriteAsync(batch, cancellationToken).ConfigureAwait(false);
        return [.. batch.Select(Written)];
    }

    public async Task<PluginLogAppended> AppendAsync(
        string log, JsonElement value, string? once, long expiresAt, CancellationToken cancellationToken)
    {
        OwnRecords(log);
        if (once is not null) Bounded(once, MaxKey, "once");
        var append = new SequenceAppend
        {
            Sequence = log,
            Once = once,
            Value = Encoding.UTF8.GetBytes(value.GetRawText()),
            ExpiresAt = expiresAt,
            At = time.GetUtcNow().ToUnixTimeMilliseconds(),
        };
        await store.WriteAsync([append], cancellationToken).ConfigureAwait(false);
        return new PluginLogAppended(append.Number, append.Duplicate);
    }

    public async Task<IReadOnlyList<PluginLogEntry>> ReadLogAsync(string log, long after, int limit, CancellationToken cancellationToken)
    {
        OwnRecords(log);
        var most = limit <= 0 ? 100 : Math.Min(limit, 1000);
        var found = await store.ReadSequenceAsync(log, after, most, cancellationToken).ConfigureAwait(false);
        return [.. found.Select(entry => new PluginLogEntry(entry.Number, Parse(entry.Value), entry.ExpiresAt))];
    }

    public Task PublishAsync(string name, JsonElement payload, CancellationToken cancellationToken)
    {
        if (!manifest.Events.Contains(name, StringComparer.Ordinal))
            throw new BridgeException(ErrorCodes.Forbidden, "the manifest doesn't name this event");
        if (payload.ValueKind != JsonValueKind.Object) throw BridgeException.Invalid("payload is an object");
        events.Publish(name, Small(payload));
        return Task.CompletedTask;
    }

    public Task LogAsync(string level, string text, CancellationToken cancellationToken)
    {
        var line = PluginText.Cut(mask(text).ReplaceLineEndings(" "), 2000);
        level = level is "debug" or "warning" or "error" ? level : "information";
        lines.Add($"{level}: {line}");
        LogLine(
            logger,
            level switch { "debug" => LogLevel.Debug, "warning" => LogLevel.Warning, "error" => LogLevel.Error, _ => LogLevel.Information },
                manifest.Id, line);
        return Task.CompletedTask;
    }

    public Task ReportDiagnosticsAsync(JsonElement section, CancellationToken cancellationToken)
    {
        if (section.ValueKind != JsonValueKind.Object) throw BridgeException.Invalid("section is an object");
        Small(section);
        _diagnostics = (JsonObject)Secrets.Mask(section, mask)!;
        return Task.CompletedTask;
    }

    /// <summary>Takes over what a channel's accounts are.</summary>
    public void Report(string channel, IReadOnlyList<PluginAccount> accounts)
    {
        var own = Own(channel);
        Given(accounts, "accounts");
        if (accounts.Count > MaxAccounts) throw BridgeException.Invalid($"a channel has at most {MaxAccounts} accounts");
        foreach (var account in accounts) Bounded(account.AccountId, MaxAccountId, "accounts.accountId");
        own.Report([.. accounts.DistinctBy(account => account.AccountId, StringComparer.OrdinalIgnoreCase)]);
        DetachWhere(key => key.Channel == own.Id && own.Find(key.Account) is null);
    }

    /// <summary>A process is about to start its channels.</summary>
    public void BeginStart() => _starting = true;

    /// <summary>It has started them, and these are the accounts.</summary>
    public void EndStart(IReadOnlyDictionary<string, IReadOnlyList<PluginAccount>> accounts)
    {
        foreach (var (channel, given) in accounts) Report(channel, given);
        // A channel that the answer doesn't name has no account.
        foreach (var silent in channels.Keys.Except(accounts.Keys, StringComparer.Ordinal)) Report(silent, []);
        _starting = false;
    }

    /// <summary>The process is gone: its accounts can't be reached.</summary>
    public void DetachAll()
    {
        _starting = false;
        DetachWhere(_ => true);
    }

    private void DetachWhere(Func<(string Channel, string Account), bool> isGone)
    {
        (string Channel, string Account, PluginPushTarget Target)[] gone;
        lock (_targets)
        {
            gone = [.. _targets.Where(entry => isGone(entry.Key)).Select(entry => (entry.Key.Channel, entry.Key.Account, entry.Value))];
            foreach (var (channel, account, _) in gone) _targets.Remove((channel, account));
        }

        foreach (var (channel, account, target) in gone) outbox.Detach(channel, account, target);
    }

    private string AgentFor(string channel, string? named)
    {
        var agent = agentOf(channel);
        if (named is null || named == agent) return agent;
        return manifest.Permissions.Agents.Contains(named, StringComparer.Ordinal) ? named
            : throw new BridgeException(ErrorCodes.Forbidden, $"the manifest's permissions don't name the agent {named}");
    }

    private PluginChannel Own(string channel) =>
        channels.GetValueOrDefault(channel ?? "")
            ?? throw new BridgeException(ErrorCodes.Forbidden, "the channel isn't one of the manifest's");

    private (PluginChannel Channel, string Account) Own(string channel, string accountId)
    {
        var own = Own(channel);
        // A process may go on before the host has read its answer to start: then the accounts that it names are taken for its own, which
        // the answer confirms.
        if (_starting && accountId is { Length: > 0 and <= MaxAccountId }) own.Expect(accountId, MaxAccounts);
        var account = own.Find(accountId ?? "") ?? throw new BridgeException(
            ErrorCodes.Forbidden, "the account isn't one that the plugin reported; name it in the answer to start, or by accounts");
        return (own, account.AccountId);
    }

    private static void OwnSession(PluginChannel channel, string sessionKey)
    {
        Bounded(sessionKey, MaxName, "message.sessionKey");
        if (!channel.OwnsSession(sessionKey)) throw BridgeException.Invalid($"message.sessionKey begins with {channel.Id}: and goes on");
    }

    private void OwnRecords(string ns)
    {
        Bounded(ns, MaxName, "ns");
        var first = ns.Split('.')[0];
        if (first == manifest.Id || channels.ContainsKey(first) || manifest.Permissions.Records.Contains(ns, StringComparer.Ordinal))
            return;
        throw new BridgeException(
            ErrorCodes.Forbidden, $"the namespace isn't {manifest.Id}, below it, or one of the manifest's permissions");
    }

    // Nobody would be told of a conflict: what depends on a version is written by records.write.
    private RecordWrite[]? Riding(IReadOnlyList<PluginRecordWrite>? records)
    {
        if (records is null or { Count: 0 }) return null;
        if (records.Count > MaxWrites) throw BridgeException.Invalid($"records has at most {MaxWrites} changes");
        if (records.Any(write => write.ExpectedVersion is not null)) throw BridgeException.Invalid("records that go with a message have no expectedVersion");
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return [.. records.Select(write => FromWire(write, now))];
    }

    private RecordWrite FromWire(PluginRecordWrite write, long now)
    {
        OwnRecords(write.Namespace);
        Bounded(write.Key, MaxName, "writes.key");
        if (write.Value is not { ValueKind: not JsonValueKind.Null } value)
            return new RecordDelete { Namespace = write.Namespace, Key = write.Key };
        return new RecordPut
        {
            Namespace = write.Namespace,
            Key = write.Key,
            Value = Encoding.UTF8.GetBytes(value.GetRawText()),
            Index = write.Index,
            ExpiresAt = write.ExpiresAt,
            ExpectedVersion = write.ExpectedVersion,
            At = now,
        };
    }

    private static JsonElement Parse(ReadOnlyMemory<byte> value)
    {
        using var document = JsonDocument.Parse(value);
        return document.RootElement.Clone();
    }

    private static PluginRecord ToWire(StoreRecord record) =>
        new() { Key = record.Key, Value = Parse(record.Value), Version = record.Version, Index = record.Index };

    private static PluginRecordWritten Written(RecordWrite write) =>
        write is RecordPut put ? new PluginRecordWritten(put.Conflict, put.Version) : new PluginRecordWritten(Conflict: false, 0);

    private static byte[] Small(JsonElement value)
    {
        var bytes = Encoding.UTF8.GetBytes(value.GetRawText());
        return bytes.Length <= MaxSmall ? bytes
            : throw new BridgeException(ErrorCodes.PayloadTooLarge, $"it has {bytes.Length} bytes; at most {MaxSmall} are taken");
    }

    private static void Given(object? value, string what)
    {
        if (value is null) throw BridgeException.Invalid($"{what} must not be null");
    }

    private static void Bounded(string? text, int most, string what)
    {
        if (string.IsNullOrEmpty(text) || text.Length > most) throw BridgeException.Invalid($"{what} has 1 to {most} characters");
    }

    [LoggerMessage(EventId = LogEvents.PluginDeskLine, Message = "[{Plugin}] {Line}")]
    private static partial void LogLine(ILogger logger, LogLevel level, string plugin, string line);
}
