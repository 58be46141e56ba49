using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Sealing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>Takes single messages for an account's agent: opens what is sealed, asks who may speak, accepts, and moves the stored number in the same commit.</summary>
internal sealed partial class MessageDesk(
    string accountId,
    string aid,
    string agent,
    string slotId,
    IInbox inbox,
    IOutbox outbox,
    IRecords records,
    IGatewayAdmission? gateway,
    RefusalBook refusals,
    TimeProvider time,
    ILogger<MessageDesk> logger)
{
    /// <summary>Where the stored numbers stand.</summary>
    public const string CursorNamespace = "aun.cursor";

    private const int MostAsked = 5;
    private static readonly TimeSpan IdWindow = TimeSpan.FromDays(30);
    private static readonly TimeSpan ContentWindow = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);
    private long _lastAt;

    /// <summary>When a message was last accepted (Unix ms), or 0.</summary>
    public long LastAt => Volatile.Read(ref _lastAt);

    /// <summary>What became of messages.</summary>
    public InboundCounts Counts { get; } = new();

    /// <summary>The device; known once the folder was read.</summary>
    public string DeviceId { get; set; } = "";

    /// <summary>Opens what is sealed; null before the identity is known.</summary>
    public ISealer? Sealer { get; set; }

    /// <summary>The number up to which everything was taken; null when there is none stored.</summary>
    public async ValueTask<long?> CursorAsync(CancellationToken cancellationToken) =>
        await records.GetRecordAsync(CursorNamespace, CursorKey, cancellationToken).ConfigureAwait(false) is { } stored
        && System.Buffers.Text.Utf8Parser.TryParse(stored.Value.Span, out long cursor, out _)
            ? cursor
            : null;

    /// <summary>Takes one.</summary>
    /// <param name="json">What the gateway has handed over.</param>
    /// <param name="pushed">True: it comes as it was sent.</param>
    /// <param name="cursor">The number to store with it; null: it stays.</param>
    /// <param name="cancellationToken">Gives up; it comes again.</param>
    /// <returns>False: it must be pulled, and nothing was done.</returns>
    public async ValueTask<bool> TakeAsync(JsonElement json, bool pushed, long? cursor, CancellationToken cancellationToken)
    {
        var moved = cursor is { } number ? new[] { CursorAt(number) } : [];
        if (GatewayMessage.Read(json) is not { } message)
        {
            await RefuseAsync("(unknown)", null, "it has no sender or no payload", moved, cancellationToken).ConfigureAwait(false);
            return true;
        }

        if (IsForOthers(message))
        {
            Interlocked.Increment(ref Counts.NotForUs);
            await WriteAsync(moved, cancellationToken).ConfigureAwait(false);
            return true;
        }

        var payload = message.Payload;
        IReadOnlyList<RecordWrite> along = moved;
        if (Envelope.OtherKind(payload) is { } kind)
        {
            await TellOnceAsync(message, kind, cancellationToken).ConfigureAwait(false);
            await RefuseAsync(message.From, message.Id, $"sealed as {AunCallException.Clean(kind)}, which isn't read here", moved, cancellationToken).ConfigureAwait(false);
            return true;
        }

        if (Envelope.IsOne(payload))
        {
            try
            {
                var opened = await OpenAsync(message, pushed, cancellationToken).ConfigureAwait(false);
                payload = JsonElement.Parse(opened.Payload.Span);
                along = [.. moved, .. opened.Records];
            }
            catch (SealingException fault) when (fault.Fault == SealingFault.OutOfTime && message.Seq is not null)
            {
                // Perhaps the gateway pushes what has waited: what is pulled may be old.
                return false;
            }
            catch (SealingException fault) when (fault.Fault == SealingFault.Replayed)
            {
                Interlocked.Increment(ref Counts.Duplicates);
                await RefuseAsync(message.From, message.Id, fault.Receipt, moved, cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (SealingException fault)
            {
                LogRefused(logger, accountId, SealingException.Word(fault.Fault));
                await RefuseAsync(message.From, message.Id, fault.Receipt, moved, cancellationToken).ConfigureAwait(false);
                return true;
            }
        }

        await AcceptAsync(message, payload, along, moved, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Stores a number without a message: the gateway has said that what lies before it won't come.</summary>
    public ValueTask StoreAsync(long cursor, CancellationToken cancellationToken) => WriteAsync([CursorAt(cursor)], cancellationToken);

    private string CursorKey => $"{accountId.ToLowerInvariant()}/{aid}";

    private RecordPut CursorAt(long cursor) => new()
    {
        Namespace = CursorNamespace,
        Key = CursorKey,
        Value = System.Text.Encoding.ASCII.GetBytes(cursor.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        At = time.GetUtcNow().ToUnixTimeMilliseconds(),
    };

    private bool IsForOthers(GatewayMessage message) =>
        message.From == aid || (message.To.Length > 0 && message.To != aid) || (message.DeviceId is { Length: > 0 } device && device != DeviceId)
        || (message.SlotId is { Length: > 0 } slot && slot != slotId);

    private async ValueTask<OpenedMessage> OpenAsync(GatewayMessage message, bool pushed, CancellationToken cancellationToken)
    {
        if (Sealer is not { } sealer) throw BridgeException.Unavailable("the identity isn't known yet");
        var to = message.To.Length > 0 ? message.To : aid;
        for (var asked = 1; ; asked++)
        {
            try
            {
                return await sealer.OpenAsync(new SealedMessage(message.From, to, message.Id ?? "", message.Payload, pushed), cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault) when (fault.Retryable && (asked < MostAsked || fault.Code.StartsWith("STORE_", StringComparison.Ordinal)))
            {
                await Task.Delay(WaitOf(asked), time, cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault)
            {
                // One sender whose certificate can't be had mustn't hold up all others for ever.
                throw new SealingException(SealingFault.CertificateUnknown, "the sender's certificate can't be had", fault);
            }
        }
    }

    private async ValueTask AcceptAsync(
        GatewayMessage message, JsonElement payload, IReadOnlyList<RecordWrite> along, IReadOnlyList<RecordWrite> moved, CancellationToken cancellationToken)
    {
        var (text, kind) = PayloadText.Of(payload);
        var session = AunChannel.SessionKeyOf(aid, message.From);
        var inbound = new InboundMessage
        {
            Channel = AunChannel.ChannelId,
            AccountId = accountId,
            SessionKey = session,
            Agent = agent,
            Route = message.From,
            SenderId = message.From,
            Subject = message.From,
            Door = Door.Channel,
            MessageId = message.Id,
            Text = text,
            Type = kind,
            Rules = new TurnRules { Commands = false, SenderIsAgent = true },
        };
        for (var tried = 1; ; tried++)
        {
            try
            {
                if (!await MayAsync(inbound, cancellationToken).ConfigureAwait(false))
                {
                    await RefuseAsync(message.From, message.Id, "the gateway's policy doesn't let it speak to its agent", along, cancellationToken).ConfigureAwait(false);
                    return;
                }

                var receipt = await inbox.AcceptAsync(inbound, message.Key(aid), message.IsAnonymous ? ContentWindow : IdWindow, along, cancellationToken)
                    .ConfigureAwait(false);
                if (receipt.Duplicate)
                {
                    // Nothing rides along with a duplicate.
                    Interlocked.Increment(ref Counts.Duplicates);
                    await WriteAsync(moved, cancellationToken).ConfigureAwait(false);
                    return;
                }

                Interlocked.Increment(ref Counts.Accepted);
                Volatile.Write(ref _lastAt, time.GetUtcNow().ToUnixTimeMilliseconds());
                return;
            }
            catch (BridgeException fault) when (fault.Retryable)
            {
                await Task.Delay(fault.RetryAfter is { } asked && asked < LongestWait ? asked : WaitOf(tried), time, cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault)
            {
                await RefuseAsync(message.From, message.Id, $"it wasn't accepted ({fault.Code})", moved, cancellationToken).ConfigureAwait(false);
                return;
            }
        }
    }

    private async ValueTask<bool> MayAsync(InboundMessage message, CancellationToken cancellationToken)
    {
        if (gateway?.Governs(AunChannel.ChannelId, agent) is not true) return true;
        var decision = await gateway.AdmitAsync(
            new AdmissionRequest
            {
                Channel = message.Channel,
                AccountId = accountId,
                Subject = message.SenderId,
                SenderId = message.SenderId,
                ConversationId = message.SenderId,
                Route = message.Route,
                SessionKey = message.SessionKey,
            },
            cancellationToken).ConfigureAwait(false);
        return decision.Outcome == AdmissionOutcome.Allow;
    }

    private async ValueTask TellOnceAsync(GatewayMessage message, string kind, CancellationToken cancellationToken)
    {
        try
        {
            var words = $"I read plain messages, and those that are sealed as {Envelope.SealedType} (version {Envelope.Version}). What you sent is of the kind "
                + $"{AunCallException.Clean(kind)}, which isn't read here; please send it in one of those forms.";
            var note = new OutboundMessage
            {
                Channel = AunChannel.ChannelId,
                AccountId = accountId,
                SessionKey = AunChannel.SessionKeyOf(aid, message.From),
                Route = message.From,
                Text = words,
            };
            // The key makes it once for each sender, whatever comes.
            await outbox.SendAsync(note, $"aun/unread/{aid}/{message.From}", cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException)
        {
            // The next message of the kind leads here again.
        }
    }

    private async ValueTask RefuseAsync(string from, string? messageId, string reason, IReadOnlyList<RecordWrite> along, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref Counts.Refused);
        await WriteAsync([refusals.Refused(aid, from, messageId, reason), .. along], cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask WriteAsync(IReadOnlyList<RecordWrite> writes, CancellationToken cancellationToken)
    {
        for (var tried = 1; writes.Count > 0; tried++)
        {
            try
            {
                await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (BridgeException fault) when (fault.Retryable)
            {
                await Task.Delay(WaitOf(tried), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static TimeSpan WaitOf(int tried) => FirstWait * Math.Pow(2, Math.Min(tried - 1, 10)) is var wait && wait < LongestWait ? wait : LongestWait;

    [LoggerMessage(LogEvents.ConnectorRefused, LogLevel.Warning, "AUN account {Account}: a sealed message is refused ({Reason}); the status counts them and has their receipts.")]
    private static partial void LogRefused(ILogger logger, string account, string reason);
}
