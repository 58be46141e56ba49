using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Policy;
using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr;

/// <summary>
/// Takes over <c>bncr-bridge-state.json</c>, the state file of the existing plugin: its queue, its dead letters and its known conversations. Message ids
/// stay, so a client that had got a message before knows it again, and a second import of the same file writes nothing twice.
/// </summary>
/// <param name="records">The records of an open store. No host may be delivering from it meanwhile.</param>
/// <param name="messages">Where its messages go.</param>
/// <param name="time">The clock.</param>
public sealed class BncrStateImporter(IRecords records, IMessageImport messages, TimeProvider time)
{
    private const int BatchSize = 256;
    private const string Unknown = "unknown";

    private readonly Dictionary<string, BncrAccount> _accounts = [];
    private readonly List<string> _skipped = [];
    private readonly AccountPolicy _policy = new(new BncrOptions(), null);
    private int _known;

    /// <summary>Imports a state file.</summary>
    /// <param name="json">The file's content.</param>
    /// <param name="dryRun">True: reads and counts, writes nothing.</param>
    /// <param name="cancellationToken">Stops between batches; what was written stays.</param>
    /// <exception cref="BridgeException">The file is no such state file, or the store failed.</exception>
    public async Task<BncrImportReport> ImportAsync(Stream json, bool dryRun = false, CancellationToken cancellationToken = default)
    {
        using var document = await ReadAsync(json, cancellationToken).ConfigureAwait(false);
        var root = document.RootElement;
        if (root.ValueKind is not JsonValueKind.Object || !(root.TryGetProperty("outbox", out _) || root.TryGetProperty("sessionRoutes", out _)))
        {
            throw BridgeException.Invalid("the file is no bncr-bridge-state.json: it has neither outbox nor sessionRoutes");
        }

        _accounts.Clear();
        _skipped.Clear();
        _known = 0;
        var routes = Entries(root, "sessionRoutes").Select(Route).OfType<RecordPut>().ToList();
        var queued = Entries(root, "outbox").Select(entry => Message(entry, "outbox")).OfType<ImportedMessage>().OrderBy(entry => entry.CreatedAt).ToList();
        var dead = Entries(root, "deadLetter").Select(entry => Message(entry, "deadLetter")).OfType<ImportedMessage>().OrderBy(entry => entry.CreatedAt).ToList();
        if (!dryRun)
        {
            var now = Now();
            var accounts = _accounts.Values.Select(account => new RecordPut
            {
                Namespace = BncrAccounts.Namespace,
                Key = account.Key,
                Value = Encoding.UTF8.GetBytes(account.DisplayId),
                At = now,
            });
            foreach (var batch in accounts.Concat(routes).Chunk(BatchSize)) await records.WriteAsync(batch, cancellationToken).ConfigureAwait(false);
            _known = await messages.ImportAsync([.. queued, .. dead.Select(entry => entry with { Dead = true })], cancellationToken).ConfigureAwait(false);
        }

        return new BncrImportReport { Queued = queued.Count, DeadLetters = dead.Count, Routes = routes.Count, Known = _known, Skipped = [.. _skipped] };
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    private static async Task<JsonDocument> ReadAsync(Stream json, CancellationToken cancellationToken)
    {
        try
        {
            return await JsonDocument.ParseAsync(json, default, cancellationToken).ConfigureAwait(false);
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"the file is no JSON (line {fault.LineNumber + 1})", fault);
        }
    }

    private RecordPut? Route(JsonElement entry)
    {
        if (!TryAccount(entry, out var account) || !TryKey(entry, out var key)) return Skip<RecordPut>("sessionRoutes", entry, "has no bncr session key or account");
        return RouteBook.Put(account, key, Number(entry, "updatedAt"));
    }

    private ImportedMessage? Message(JsonElement entry, string list)
    {
        if (!Guid.TryParse(Text(entry, "messageId"), out var id)) return Skip<ImportedMessage>(list, entry, "has no UUID as messageId");
        if (!TryAccount(entry, out var account) || !TryKey(entry, out var key)) return Skip<ImportedMessage>(list, entry, "has no bncr session key or account");
        if (!entry.TryGetProperty("payload", out var payload) || payload.ValueKind is not JsonValueKind.Object)
        {
            return Skip<ImportedMessage>(list, entry, "has no payload");
        }

        // Text messages hold a `message`; files that were still to be transferred hold their text and source beside it.
        var message = payload.TryGetProperty("message", out var inner) && inner.ValueKind is JsonValueKind.Object ? inner : payload;
        var text = Text(message, "msg") ?? Text(message, "text") ?? "";
        var file = File(message);
        if (text.Length == 0 && file is null) return Skip<ImportedMessage>(list, entry, "has neither text nor a file");
        return new ImportedMessage(
            id,
            new OutboundMessage
            {
                Channel = BncrChannel.ChannelId,
                AccountId = account.DisplayId,
                SessionKey = key.ToString(),
                Route = key.Route.Scope,
                Text = text,
                Type = Text(message, "type") is { Length: > 0 and <= 32 } type ? type : "text",
                Kind = Text(message, "kind") is "tool" or "block" or "final" ? Text(message, "kind") : null,
                ReplyToId = Text(payload, "replyToId"),
                Attachment = file,
            },
            Number(entry, "createdAt") is > 0 and var createdAt ? createdAt : Now(),
            Attempts: (int)Math.Clamp(Number(entry, "retryCount"), 0, 1000),
            Error: Text(entry, "lastError") ?? Unknown);
    }

    private static Attachment? File(JsonElement message)
    {
        var location = Text(message, "mediaUrl") ?? Text(message, "path");
        var content = message.TryGetProperty("base64", out var base64) && base64.ValueKind is JsonValueKind.String && base64.TryGetBytesFromBase64(out var bytes) ? bytes : [];
        if (string.IsNullOrEmpty(location) && content.Length == 0) return null;
        return new Attachment
        {
            MimeType = Text(message, "mimeType") is { } mimeType && Routing.Text.IsMimeType(mimeType) ? mimeType : "application/octet-stream",
            FileName = Abstractions.Transfers.FileNames.Sanitize(Text(message, "fileName")),
            Content = content.Length == 0 ? null : content,
            Location = string.IsNullOrEmpty(location) ? null : location,
        };
    }

    private bool TryAccount(JsonElement entry, out BncrAccount account)
    {
        account = null!;
        try
        {
            var display = AccountIds.Normalize(Text(entry, "accountId"));
            var key = AccountIds.Key(display);
            if (!_accounts.TryGetValue(key, out account!)) _accounts[key] = account = new BncrAccount(display, key, _policy);
            return true;
        }
        catch (BridgeException)
        {
            return false;
        }
    }

    private static bool TryKey(JsonElement entry, out SessionKey key)
    {
        key = default;
        if (!Target.TryParse(Text(entry, "sessionKey"), out var target)) return false;
        var route = target.Route;
        if (entry.TryGetProperty("route", out var parts)
            && parts.ValueKind is JsonValueKind.Object
            && BncrRoute.Create(Text(parts, "platform"), Text(parts, "groupId"), Text(parts, "userId"), out _) is { IsNoise: false } stored)
        {
            // The old plugin cut user ids at their first colon when it read a key, not when it stored a route.
            route = stored;
        }

        key = new SessionKey(target.AgentId ?? SessionKey.DefaultAgentId, route, target.TaskKey);
        return true;
    }

    private T? Skip<T>(string list, JsonElement entry, string why)
        where T : class
    {
        var name = entry.ValueKind is JsonValueKind.Object ? Text(entry, "messageId") ?? Text(entry, "sessionKey") : null;
        if (name is not null) name = Protocol.SoundText.Cut(name, 100, "…");
        _skipped.Add($"{list}: {(string.IsNullOrEmpty(name) ? "an entry" : name)} {why}");
        return null;
    }

    private static List<JsonElement> Entries(JsonElement root, string name) =>
        root.TryGetProperty(name, out var list) && list.ValueKind is JsonValueKind.Array ? [.. list.EnumerateArray()] : [];

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind is JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    private static long Number(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetDouble(out var number) && number is > 0 and < 1e15 ? (long)number : 0;
}
