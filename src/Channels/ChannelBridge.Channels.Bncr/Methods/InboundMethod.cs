using System.Diagnostics;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Policy;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.inbound</c>: a message for the agent. The answer comes when it is on disk.</summary>
internal sealed class InboundMethod(
    BncrAccounts accounts,
    LeaseTable desk,
    RouteBook routes,
    IInbox inbox,
    IOutbox outbox,
    IGatewayAdmission? gateway,
    ISpool? spool,
    IReadOnlyList<string>? agents,
    BncrOptions options,
    TimeProvider time)
{
    private const string GatewayAgent = "openclaw";

    public async ValueTask<InboundResult> InvokeAsync(InboundParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var caller = call.Caller;
        var account = accounts.Resolve(parameters.AccountId, caller);
        account.Stats.CountInbound();
        using var activity = Telemetry.Source.StartActivity("bncr.inbound", ActivityKind.Consumer, call.TraceContext);
        if (LeaseTable.IsStale(account, parameters.LeaseId, parameters.ConnectionEpoch))
        {
            account.Stats.CountStale(StaleKind.Inbound, time.GetUtcNow().ToUnixTimeMilliseconds());
            Count("stale");
            return new InboundResult
            {
                Accepted = false,
                Stale = true,
                Ignored = true,
                AccountId = account.DisplayId,
                MsgId = InboundValidator.Blank(parameters.MsgId),
            };
        }

        CheckedInbound message;
        SessionKey key;
        string agent;
        try
        {
            var prefix = EventPrefixes.Choose(caller.Door, null, options.EventPrefix);
            var session = desk.Touch(
                account, call.Connection, InboundValidator.ClientId(parameters.ClientId), prefix, parameters.LeaseId, parameters.ConnectionEpoch);
            var uploaded = spool is not null && InboundValidator.Blank(parameters.Path) is { } path
                ? await spool.FindAsync(BncrChannel.ChannelId, account.DisplayId, path, cancellationToken).ConfigureAwait(false)
                : null;
            message = InboundValidator.Check(parameters, session?.ClientId, options, uploaded);
            if (!caller.MayUsePlatform(message.Route.Platform)) throw Refusals.Platform(message.Route.Platform);
            agent = Choose(InboundValidator.Blank(parameters.Agent), account, caller);
            var agentId = caller.Door is Door.Gateway && gateway is not null
                ? gateway.GetAgentId(BncrChannel.ChannelId, account.DisplayId)
                : options.SessionAgentId;
            var keyTask = InboundValidator.SessionKeyTask(parameters.SessionKey, message.Route, agentId);
            // What the user wrote in this very message goes before what the bridge says of the thread.
            key = new SessionKey(agentId, message.Route, message.TaskKey ?? keyTask);
        }
        catch (BridgeException)
        {
            Count("invalid");
            throw;
        }

        var dedupe = DedupeKeys.Of(account, message);
        if (await RefuseAsync(account, message, key, dedupe, call, activity, cancellationToken).ConfigureAwait(false) is { } reason)
        {
            Count("refused");
            return new InboundResult { Accepted = false, AccountId = account.DisplayId, MsgId = message.MsgId, TaskKey = key.TaskKey, Reason = reason };
        }

        return await AcceptAsync(account, message, parameters, key, agent, dedupe, call, activity, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<InboundResult> AcceptAsync(
        BncrAccount account,
        CheckedInbound message,
        InboundParams parameters,
        SessionKey key,
        string agent,
        UInt128 dedupe,
        MethodCall call,
        Activity? activity,
        CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var sessionKey = key.ToString();
        var inbound = new InboundMessage
        {
            Channel = BncrChannel.ChannelId,
            AccountId = account.DisplayId,
            SessionKey = sessionKey,
            Agent = agent,
            Route = message.Route.Scope,
            IsGroup = message.Route.IsGroup,
            SenderId = message.ClientId,
            Subject = message.Route.Display,
            Door = call.Caller.Door,
            MessageId = message.MsgId,
            Text = message.Text,
            Type = message.Type,
            Attachments = message.Attachment is { } file ? [file] : null,
            TaskKey = key.TaskKey,
            IsCommand = message.IsCommand,
            Stream = parameters.Stream is true,
            AcceptedAt = now,
            TraceParent = Telemetry.TraceParent(activity, call.TraceContext),
        };

        // Side by side: they land in one commit.
        var recorded = accounts.RecordAsync(account);
        var touched = routes.TouchAsync(account, key);
        var window = message.MsgId is null ? options.ContentDedupeWindow : options.DedupeWindow;
        InboxReceipt receipt;
        try
        {
            receipt = await inbox.AcceptAsync(inbound, dedupe, window, cancellationToken: cancellationToken).ConfigureAwait(false);
            if (message.Attachment is { File: not null } uploaded && spool is not null)
                await spool.KeepAsync(uploaded, SpoolUse.Inbox, receipt.Id, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            await touched.ConfigureAwait(false);
            await recorded.ConfigureAwait(false);
        }

        account.Stats.Accepted(now, sessionKey, $"{BncrChannel.ChannelId}:{message.Route.Scope}");
        Count(receipt.Duplicate ? "duplicate" : "accepted");
        return new InboundResult
        {
            Accepted = true,
            Duplicated = receipt.Duplicate,
            AccountId = account.DisplayId,
            SessionKey = sessionKey,
            MsgId = message.MsgId,
            TaskKey = key.TaskKey,
        };
    }

    /// <summary>The agent of a message: the one that it names, else the account's; the gateway's own for its clients.</summary>
    private string Choose(string? named, BncrAccount account, Caller caller)
    {
        var usual = caller.Door is Door.Gateway ? GatewayAgent : account.Policy.Agent;
        if (named is null || string.Equals(named, usual, StringComparison.OrdinalIgnoreCase)) return usual;
        if (caller.Door is Door.Gateway)
        {
            throw Refusals.Invalid(
                "agent-of-the-gateway", $"messages through the gateway are answered by its own agent; leave agent out, or send '{GatewayAgent}'", "invalid agent");
        }

        var known = agents?.Order(StringComparer.OrdinalIgnoreCase).ToList() ?? [usual];
        return known.Find(name => string.Equals(name, named, StringComparison.OrdinalIgnoreCase))
            ?? throw Refusals.Invalid("unknown-agent", $"unknown agent; available: {string.Join(", ", known)}", "unknown agent");
    }

    /// <summary>Why the message may not pass, or null: the gateway decides for its clients, the host's settings for others.</summary>
    private async ValueTask<string?> RefuseAsync(
        BncrAccount account, CheckedInbound message, SessionKey key, UInt128 dedupe, MethodCall call, Activity? activity, CancellationToken cancellationToken)
    {
        if (call.Caller.Door is not Door.Gateway) return account.Policy.Enabled ? account.Policy.Refuse(message.Route) : AccountPolicy.AccountDisabled;
        if (gateway is null) throw BridgeException.Unavailable("the gateway's policy can't be asked: no link to the gateway is configured");
        var decision = await gateway.AdmitAsync(
            call.Connection,
            new AdmissionRequest
            {
                Channel = BncrChannel.ChannelId,
                AccountId = account.DisplayId,
                Subject = message.Route.Display,
                SenderId = message.ClientId,
                ConversationId = message.Route.Conversation,
                Route = message.Route.Scope,
                SessionKey = key.ToString(),
                IsGroup = message.Route.IsGroup,
                IsCommand = message.IsCommand,
            },
            cancellationToken).ConfigureAwait(false);
        if (decision.Outcome is AdmissionOutcome.Allow) return null;
        if (decision is { Outcome: AdmissionOutcome.Pairing, ReplyText: { Length: > 0 } text })
        {
            await outbox.SendAsync(
                new OutboundMessage
                {
                    Channel = BncrChannel.ChannelId,
                    AccountId = account.DisplayId,
                    SessionKey = key.ToString(),
                    Route = message.Route.Scope,
                    Text = text,
                    Kind = "final",
                    ReplyToId = message.MsgId,
                    TraceParent = Telemetry.TraceParent(activity, call.TraceContext),
                },
                decision.ReplyKey ?? $"pairing/{dedupe:x32}",
                cancellationToken: cancellationToken).ConfigureAwait(false);
        }

        return decision.Reason ?? (decision.Outcome is AdmissionOutcome.Pairing ? "pairing required" : "blocked by the gateway's policy");
    }

    private static void Count(string outcome) => Telemetry.Inbound.Add(1, new KeyValuePair<string, object?>("channelbridge.outcome", outcome));
}
