using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Endpoint;
using ChannelBridge.Channels.Aun.Sealing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>
/// Agents of this host that are AIDs here. What is sent to one becomes a message of the lane <c>aun:AID:SENDER</c>; what it answers is put into its sender's log, sealed
/// when the question was.
/// </summary>
internal sealed partial class AgentDesk(
    IReadOnlyDictionary<string, HeldAgent> agents, IInbox inbox, IOutbox outbox, IRecords records, MessageDesk messages, PrekeyDesk prekeys,
    TimeProvider time, ILogger<AgentDesk> logger, IGatewayAdmission? gateway) : IDisposable
{
    private const string ReplyNamespace = "aun.reply";
    private const string SeqLog = "aun.taken/";
    private const int Page = 200;
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(30);
    private static readonly TimeSpan ReplyKept = TimeSpan.FromDays(30);
    private static readonly TimeSpan Renewal = TimeSpan.FromMinutes(10);

    /// <summary>The agents.</summary>
    public IReadOnlyDictionary<string, HeldAgent> Agents => agents;

    private readonly ILogger _logger = logger;

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>True when an AID is an agent of this host.</summary>
    public bool IsAgent(string aid) => agents.ContainsKey(aid);

    /// <summary>Registers the agents that aren't yet; a name that somebody else has is left alone, and the log says so.</summary>
    public async ValueTask RegisterAsync(IdentityBook identities, CancellationToken cancellationToken)
    {
        foreach (var agent in agents.Values)
        {
            var known = await identities.FindAsync(agent.Aid, cancellationToken).ConfigureAwait(false)
                ?? await identities.AddAsync(agent.Aid, agent.Keys.Spki, held: true, cancellationToken).ConfigureAwait(false)
                ?? await identities.FindAsync(agent.Aid, cancellationToken).ConfigureAwait(false);
            if (known is not { Held: true } || known.PublicKey != Convert.ToBase64String(agent.Keys.Spki)) LogNameTaken(logger, agent.Aid);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var agent in agents.Values)
        {
            agent.Sealer.Dispose();
            agent.Keys.Dispose();
        }
    }

    /// <summary>Begins to answer, and publishes prekeys and renews certificates by time until it is told to stop.</summary>
    public async Task RunAsync(IdentityBook identities, CancellationToken stop)
    {
        foreach (var agent in agents.Values) outbox.Attach(AunChannel.ChannelId, agent.Aid, new AgentTarget(agent, this, time, stop));
        using var timer = new PeriodicTimer(Renewal, time);
        try
        {
            do
            {
                foreach (var agent in agents.Values)
                {
                    await CertifyAsync(agent, identities, stop).ConfigureAwait(false);
                    await PublishAsync(agent, stop).ConfigureAwait(false);
                }
            }
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
    }

    /// <summary>Takes a message to an agent.</summary>
    /// <param name="connection">Who sends.</param>
    /// <param name="request">The message; its JSON is good until the first wait only.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public Task<JsonObject> TakeAsync(GatewayConnection connection, SendRequest request, CancellationToken cancellationToken)
    {
        if (!agents.TryGetValue(request.To, out var agent)) throw new RpcFault(RpcFault.Failed, $"unknown AID: {request.To}");
        var isSealed = request.Copies is not null || request.Type == SendRequest.SealedType;
        if (!isSealed && request.Encrypted) throw new RpcFault(RpcFault.Failed, $"the type of what is sealed is {SendRequest.SealedType} or {SendRequest.CopiesType}");
        var payload = request.Copies is { } copies
            ? copies.Receiver.Where(copy => copy.Device == agent.Sealer.DeviceId).Select(static copy => (JsonElement?)copy.Envelope.Clone()).FirstOrDefault()
            : request.Payload.Clone();
        return TakeAsync(agent, connection.Aid, connection.Mode, request with { Payload = default, Copies = null }, payload, isSealed, cancellationToken);
    }

    /// <summary>An AID has acked up to a number: replies of agents that lie before it are delivered.</summary>
    public async ValueTask AckedAsync(Mailbox mailbox, long number)
    {
        var replies = mailbox.Replies;
        if (mailbox.RepliesSeen == replies) return;
        var limit = KeyOf(mailbox.Aid, number);
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(ReplyNamespace, mailbox.Aid, after, Page).ConfigureAwait(false);
            foreach (var one in page)
            {
                if (string.CompareOrdinal(one.Key, limit) > 0) return;
                var parts = Encoding.UTF8.GetString(one.Value.Span).Split('\n');
                await outbox.AckAsync(new Ack(Guid.Parse(parts[0]), AunChannel.ChannelId, parts[1], Ok: true, Delivered: true)).ConfigureAwait(false);
                await records.WriteAsync(new RecordDelete { Namespace = ReplyNamespace, Key = one.Key }).ConfigureAwait(false);
            }

            if (page.Count < Page) break;
            after = page[^1].Key;
        }

        mailbox.RepliesSeen = replies;
    }

    private async Task<JsonObject> TakeAsync(
        HeldAgent agent, string from, DeliveryMode mode, SendRequest request, JsonElement? payload, bool isSealed, CancellationToken cancellationToken)
    {
        var head = new MessageHead(request.MessageId, from, agent.Aid, Now, request.Type, request.Encrypted);
        var number = new SequenceAppend
        {
            Sequence = SeqLog + agent.Aid,
            Once = RecallDesk.KeyOf(from, request.MessageId),
            Value = ReadOnlyMemory<byte>.Empty,
            ExpiresAt = head.Timestamp + (long)Remembered.TotalMilliseconds,
            At = head.Timestamp,
        };
        var further = new List<RecordWrite> { number };
        JsonElement opened;
        try
        {
            opened = await OpenAsync(agent, from, request.MessageId, payload, isSealed, further, cancellationToken).ConfigureAwait(false);
        }
        catch (SealingException fault) when (fault.Fault == SealingFault.Replayed)
        {
            // The same message again is a retry; what was sealed for one message and comes as another isn't opened.
            await records.WriteAsync(number, cancellationToken).ConfigureAwait(false);
            return MessageDesk.Sent(request.MessageId, number.Number, head.Timestamp, "duplicate", mode);
        }
        catch (SealingException fault)
        {
            LogRefused(logger, agent.Aid, SealingException.Word(fault.Fault));
            var dead = MessageDesk.Sent(request.MessageId, 0, head.Timestamp, "dead", mode);
            dead["error"] = fault.Receipt;
            return dead;
        }

        var message = new InboundMessage
        {
            Channel = AunChannel.ChannelId,
            AccountId = agent.Aid,
            SessionKey = AunChannel.SessionKeyOf(agent.Aid, from),
            Agent = agent.Agent,
            Route = AgentRoute.Write(from, isSealed),
            SenderId = from,
            Subject = from,
            Door = Door.Channel,
            MessageId = request.MessageId,
            Text = TextOf(opened),
            Rules = new TurnRules { Commands = false, SenderIsAgent = true },
        };
        await AdmitAsync(message, cancellationToken).ConfigureAwait(false);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{AunChannel.ChannelId}\n{agent.Aid}\n{from}\n{request.MessageId}"));
        var receipt = await inbox.AcceptAsync(message, BinaryPrimitives.ReadUInt128BigEndian(hash), Remembered, further, cancellationToken).ConfigureAwait(false);
        if (receipt.Duplicate) await records.WriteAsync(number, cancellationToken).ConfigureAwait(false);
        return MessageDesk.Sent(request.MessageId, number.Number, head.Timestamp, receipt.Duplicate ? "duplicate" : "delivered", mode);
    }

    private static async ValueTask<JsonElement> OpenAsync(
        HeldAgent agent, string from, string messageId, JsonElement? payload, bool isSealed, List<RecordWrite> further, CancellationToken cancellationToken)
    {
        if (payload is not { } there)
        {
            agent.Sealer.Counts.CountRefused(SealingFault.NotForUs);
            throw new SealingException(SealingFault.NotForUs, "there is no copy for this device");
        }

        if (!isSealed) return there;
        var opened = await agent.Sealer.OpenAsync(new SealedMessage(from, agent.Aid, messageId, there, Pushed: true), cancellationToken).ConfigureAwait(false);
        further.AddRange(opened.Records);
        return JsonElement.Parse(opened.Payload.Span);
    }

    // A text is what it says; anything else is for an agent that reads JSON.
    private static string TextOf(JsonElement payload) =>
        payload.TryGetProperty("text"u8, out var text) && text.ValueKind == JsonValueKind.String
            && (!payload.TryGetProperty("type"u8, out var type) || type.ValueEquals("text"u8))
            ? text.GetString()!
            : Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8Value(payload));

    private async ValueTask AdmitAsync(InboundMessage message, CancellationToken cancellationToken)
    {
        if (gateway?.Governs(AunChannel.ChannelId, message.Agent) is not true) return;
        var decision = await gateway.AdmitAsync(
            new AdmissionRequest
            {
                Channel = message.Channel,
                AccountId = message.AccountId,
                Subject = message.SenderId,
                SenderId = message.SenderId,
                ConversationId = message.SenderId,
                Route = message.Route,
                SessionKey = message.SessionKey,
            },
            cancellationToken).ConfigureAwait(false);
        if (decision is { Outcome: AdmissionOutcome.Pairing, ReplyText: { } text, ReplyKey: { } key })
        {
            await outbox.SendAsync(
                new OutboundMessage { Channel = message.Channel, AccountId = message.AccountId, SessionKey = message.SessionKey, Route = message.Route, Text = text },
                key,
                cancellationToken: cancellationToken).ConfigureAwait(false);
        }

        if (decision.Outcome != AdmissionOutcome.Allow) throw new RpcFault(RpcFault.Forbidden, "this agent doesn't take your messages yet; its owner decides who may write");
    }

    private async Task<(AckResult Result, string? Error)> ReplyAsync(HeldAgent agent, PushItem item, CancellationToken cancellationToken)
    {
        var (to, isSealed) = AgentRoute.Read(item.Message.Route);
        var id = item.Id.ToString();
        var payload = PayloadOf(item.Message);
        // Out of turn: sealed for who reads what is sealed.
        isSealed ??= (await prekeys.PrekeysAsync(to, cancellationToken).ConfigureAwait(false)).Count > 0;
        var head = new MessageHead(id, agent.Aid, to, Now, null, false);
        ReadOnlyMemory<byte>? copies = null;
        try
        {
            if (isSealed.Value)
            {
                var send = await agent.Sealer.SealAsync(to, id, payload, cancellationToken).ConfigureAwait(false);
                head = head with { Type = SendRequest.SealedType, Encrypted = true };
                payload = send.Payload.ToArray();
                if (send.Type == SendRequest.CopiesType)
                {
                    using var list = JsonDocument.Parse(send.Payload);
                    copies = JsonMarshal.GetRawUtf8Value(list.RootElement.GetProperty("recipient_copies"u8)).ToArray();
                }
            }
        }
        catch (SealingException fault)
        {
            return (await outbox.AckAsync(
                new Ack(item.Id, AunChannel.ChannelId, agent.Aid, Ok: false, Fatal: true, Error: fault.Receipt), null, cancellationToken).ConfigureAwait(false), fault.Receipt);
        }

        var (number, _, _) = await messages.DeliverAsync(head, payload, copies, [RecallDesk.Remember(head)], cancellationToken).ConfigureAwait(false);
        var reply = new RecordPut
        {
            Namespace = ReplyNamespace,
            Key = KeyOf(to, number),
            Index = to,
            Value = Encoding.UTF8.GetBytes($"{item.Id:N}\n{agent.Aid}"),
            ExpiresAt = Now + (long)ReplyKept.TotalMilliseconds,
            At = Now,
        };
        var result = await outbox.AckAsync(new Ack(item.Id, AunChannel.ChannelId, agent.Aid, Ok: true), [reply], cancellationToken).ConfigureAwait(false);
        messages.Hub.Find(to)?.HasReply();
        return (result, null);
    }

    private static byte[] PayloadOf(OutboundMessage message)
    {
        var payload = new JsonObject { ["type"] = "text", ["text"] = message.Text };
        if (message.ReplyToId is { } question) payload["reply_to"] = question;
        if (message.Attachment is { } file)
        {
            var url = Uri.TryCreate(file.Location, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" ? file.Location : null;
            payload["file"] = new JsonObject { ["name"] = file.FileName, ["mime_type"] = file.MimeType, ["url"] = url };
        }

        return Encoding.UTF8.GetBytes(payload.ToJsonString());
    }

    // Nobody logs in as an agent, so its year has no other end than this.
    private async Task CertifyAsync(HeldAgent agent, IdentityBook identities, CancellationToken cancellationToken)
    {
        try
        {
            if (await identities.FindAsync(agent.Aid, cancellationToken).ConfigureAwait(false) is not { Held: true } known) return;
            known = await identities.RenewAsync(known, cancellationToken).ConfigureAwait(false) ?? known;
            agent.Keys.Certify(known.Certificate);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogCertificateFault(logger, fault, agent.Aid);
        }
    }

    private async Task PublishAsync(HeldAgent agent, CancellationToken cancellationToken)
    {
        try
        {
            var prekey = await agent.Sealer.PrekeyAsync(cancellationToken).ConfigureAwait(false);
            await prekeys.StoreAsync(agent.Aid, prekey, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogPrekeyFault(logger, fault, agent.Aid);
        }
    }

    private static string KeyOf(string aid, long number) => string.Create(CultureInfo.InvariantCulture, $"{aid}\n{number:D19}");

    [LoggerMessage(LogEvents.EndpointAgentNameTaken, LogLevel.Error,
        "{Aid} was registered at the AUN endpoint with another key than the host's: the agent isn't reached under this name. "
            + "Give it another one, or restore the folder with the keys.")]
    private static partial void LogNameTaken(ILogger logger, string aid);

    [LoggerMessage(LogEvents.EndpointAgentRefused, LogLevel.Warning, "A sealed message to {Aid} was not opened and doesn't reach the agent: {Reason}.")]
    private static partial void LogRefused(ILogger logger, string aid, string reason);

    [LoggerMessage(LogEvents.EndpointAgentFault, LogLevel.Warning, "An answer of {Aid} could not be put into its receiver's log; it is tried again.")]
    private static partial void LogReplyFault(ILogger logger, Exception fault, string aid);

    [LoggerMessage(LogEvents.EndpointPrekeyFault, LogLevel.Warning, "The prekey of {Aid} could not be published; it is tried again.")]
    private static partial void LogPrekeyFault(ILogger logger, Exception fault, string aid);

    [LoggerMessage(LogEvents.EndpointCertificateFault, LogLevel.Warning, "The certificate of {Aid} could not be looked at, or renewed; it is tried again.")]
    private static partial void LogCertificateFault(ILogger logger, Exception fault, string aid);

    private async ValueTask FailedAsync(HeldAgent agent, PushItem item, Exception fault, CancellationToken cancellationToken) => await outbox.AckAsync(
        new Ack(item.Id, AunChannel.ChannelId, agent.Aid, Ok: false, Error: fault is BridgeException known ? known.Code : ErrorCodes.Internal),
        null,
        cancellationToken).ConfigureAwait(false);

    /// <summary>Where the outbox sends an agent's answers.</summary>
    private sealed class AgentTarget(HeldAgent agent, AgentDesk desk, TimeProvider time, CancellationToken stop) : IPushTarget
    {
        public string ConnectionId => $"aun/{agent.Aid}";

        public bool RequiresAck => true;

        public DateTimeOffset LastReceivedAt => time.GetUtcNow();

        public CancellationToken Closed => stop;

        public bool ClosedByClient => false;

        public async ValueTask<Abstractions.Connections.PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
        {
            try
            {
                await desk.ReplyAsync(agent, item, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                LogReplyFault(desk._logger, fault, agent.Aid);
                await desk.FailedAsync(agent, item, fault, cancellationToken).ConfigureAwait(false);
            }

            return Abstractions.Connections.PushOutcome.Flushed;
        }
    }
}

/// <summary>An agent of this host that is an AID.</summary>
/// <param name="Aid">The AID.</param>
/// <param name="Agent">The agent's name.</param>
/// <param name="Keys">Its keys.</param>
/// <param name="Sealer">Opens and seals for it.</param>
internal sealed record HeldAgent(string Aid, string Agent, IdentityKeys Keys, Sealer Sealer);

/// <summary>Where an answer goes: the other AID, and whether the question was sealed.</summary>
internal static class AgentRoute
{
    private const string Sealed = "?sealed";
    private const string Plain = "?plain";

    /// <summary>Writes it.</summary>
    public static string Write(string aid, bool isSealed) => aid + (isSealed ? Sealed : Plain);

    /// <summary>Reads it; null: nobody has asked.</summary>
    public static (string Aid, bool? IsSealed) Read(string route) =>
        route.EndsWith(Sealed, StringComparison.Ordinal) ? (route[..^Sealed.Length], true)
        : route.EndsWith(Plain, StringComparison.Ordinal) ? (route[..^Plain.Length], false)
        : (route, null);
}
