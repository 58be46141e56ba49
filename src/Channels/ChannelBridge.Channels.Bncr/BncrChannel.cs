using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Methods;
using ChannelBridge.Channels.Bncr.Policy;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Bncr;

/// <summary>
/// The bncr channel: bridges of the Bncr protocol connect, bring messages (<c>bncr.inbound</c>) and are pushed replies (<c>bncr.push</c>, or
/// <c>plugin.bncr.push</c> through the OpenClaw gateway). A client of the existing plugin works unchanged.
/// </summary>
internal sealed class BncrChannel : IChannel, IBinaryReceiver, ITurnListener
{
    public const string ChannelId = "bncr";

    /// <summary>Accounts that a send without an account looks into; the ones that were written to last.</summary>
    private const int MostSearched = 256;

    private readonly BncrAccounts _accounts;
    private readonly RouteBook _routes;
    private readonly StatusReporter _status;
    private readonly StatsBook _stats;
    private readonly BncrOptions _options;
    private readonly IGatewayAdmission? _gateway;
    private readonly FileMethods _files;
    private readonly PartialPresenter _partials;

    public BncrChannel(
        IInbox inbox,
        IOutbox outbox,
        IRecords records,
        IDeliveries deliveries,
        IOptions<BncrOptions> options,
        TimeProvider time,
        ILoggerFactory loggers,
        IGatewayAdmission? gateway = null,
        IDeadLetters? deadLetters = null,
        ITransfers? transfers = null,
        ISpool? spool = null,
        IFileSender? sender = null,
        IReadOnlyList<string>? agents = null)
    {
        _options = options.Value;
        _gateway = gateway;
        _accounts = new BncrAccounts(records, new BncrPolicies(_options), _options, time, loggers.CreateLogger<BncrAccounts>());
        _partials = new PartialPresenter(_accounts, time);
        _stats = new StatsBook(records, _accounts, time, loggers.CreateLogger<StatsBook>());
        _routes = new RouteBook(records, time, loggers.CreateLogger<RouteBook>());
        _status = new StatusReporter(outbox, records, _routes, time, sender);
        var context = new LeaseContext(records, time, gateway, sender, spool, _options.InlinePushBytes);
        var ackers = new AckingClients(records, time, loggers.CreateLogger<AckingClients>());
        var desk = new LeaseTable(context, ackers, outbox, records, _options, loggers.CreateLogger<LeaseTable>());
        var rpc = new RpcMethods(_accounts, new PendingRpcCalls(time), _options);
        _files = new FileMethods(_accounts, desk, transfers, _options, time);
        var fileAcks = new FileAckMethod(_accounts, desk, context, _files);
        var dead = new DeadLetterMethods(_accounts, desk, outbox, deliveries, deadLetters, time);
        Methods =
        [
            Method(
                "bncr.connect", Scopes.Write, "Makes the caller the primary client of an account and pushes what waits for it.", BncrJson.Default.ConnectParams,
                BncrJson.Default.ConnectResult, new ConnectMethod(_accounts, desk, _status, records, deliveries, _options, time).InvokeAsync, actsAfterAnswer: true),
            Method(
                "bncr.inbound", Scopes.Write, "Takes a message for the agent; answers when it is on disk.", BncrJson.Default.InboundParams, BncrJson.Default.InboundResult,
                new InboundMethod(_accounts, desk, _routes, inbox, outbox, gateway, spool, agents, _options, time).InvokeAsync),
            Method(
                "bncr.activity", Scopes.Write, "A sign of life; wakes the flush.", BncrJson.Default.ActivityParams, BncrJson.Default.ActivityResult,
                new ActivityMethod(_accounts, desk, _status, _options, time).InvokeAsync),
            Method(
                "bncr.ack", Scopes.Write, "Confirms or refuses a pushed message; answers when that is on disk.", BncrJson.Default.AckParams, BncrJson.Default.AckReply,
                new AckMethod(_accounts, desk, context, ackers, outbox).InvokeAsync),
            Method(
                "bncr.diagnostics", Scopes.Read, "The state of an account: connections, lease, backlog, counts.", BncrJson.Default.LeaseParams,
                BncrJson.Default.DiagnosticsResult, new DiagnosticsMethod(_accounts, _status).InvokeAsync),
            Method(
                "bncr.account.forget", Scopes.Admin, "Removes an account that is used no longer, with its known conversations.",
                    BncrJson.Default.LeaseParams,
                BncrJson.Default.ForgetResult, new ForgetMethod(_accounts, _status, _routes).InvokeAsync),
            Method(
                "bncr.conversations", Scopes.Read, "The conversations that have written, by account, a page at a time.",
                    BncrJson.Default.ConversationsParams,
                BncrJson.Default.ConversationsResult, new ConversationsMethod(_accounts, records).InvokeAsync),
            Method(
                "bncr.file.init", Scopes.Write, "Begins to send a file, or goes on with it: the same again tells what has arrived.", FileJson.Default.FileInitParams,
                FileJson.Default.FileResult, _files.InitAsync),
            RpcMethod.CreateRaw(
                "bncr.file.chunk", Scopes.Write, "A piece of a file, in any order; the same again does no harm.", FileJson.Default.FileChunkParams,
                FileJson.Default.FileResult, _files.ChunkAsync, legacyErrors: true, carriesBytes: true),
            Method(
                "bncr.file.complete", Scopes.Write, "Checks the file and keeps it; answers the path that bncr.inbound takes when it is on disk.", FileJson.Default.FileParams,
                FileJson.Default.FileResult, _files.CompleteAsync),
            Method(
                "bncr.file.abort", Scopes.Write, "Gives up a file that is being sent, in either direction.", FileJson.Default.FileParams, FileJson.Default.FileResult,
                fileAcks.AbortAsync),
            Method(
                "bncr.file.status", Scopes.Write, "Tells what of a file has arrived and what is missing.", FileJson.Default.FileParams, FileJson.Default.FileResult,
                fileAcks.StatusAsync),
            Method(
                "bncr.file.ack", Scopes.Write, "A client's word about a file that it is sent, by stage.", FileJson.Default.FileAckParams, FileJson.Default.FileResult,
                fileAcks.InvokeAsync),
            Method(
                "bncr.deadLetter.inspect", Scopes.Read, "Lists an account's dead letters in short, newest first.", BncrJson.Default.DeadLetterParams,
                BncrJson.Default.DeadLetterInspectResult, dead.InspectAsync),
            Method(
                "bncr.deadLetter.prune", Scopes.Write, "Removes an account's dead letters, oldest first; without dryRun:false it only says which.",
                BncrJson.Default.DeadLetterPruneParams, BncrJson.Default.DeadLetterPruneResult, dead.PruneAsync),
            Method(
                "bncr.rpc.call", Scopes.Admin, "Calls a method of an account's primary client and waits for its answer.", BncrJson.Default.RpcCallParams,
                BncrJson.Default.RpcCallResult, rpc.CallAsync),
            Method(
                "bncr.rpc.response", Scopes.Write, "A client's answer to an rpc.request event.", BncrJson.Default.RpcResponseParams,
                BncrJson.Default.RpcResponseResult, rpc.RespondAsync),
        ];
    }

    public string Id => ChannelId;

    public IEnumerable<RpcMethod> Methods { get; }

    public IEnumerable<string> Events => EventPrefixes.All;

    string IBinaryReceiver.Channel => ChannelId;

    public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent) => _partials.OnTurnEvent(turn, ordinal, agentEvent);

    public void OnTurnEnded(AgentTurn turn, bool failed) => _partials.OnTurnEnded(turn, failed);

    public ValueTask ReceiveAsync(ReadOnlyMemory<byte> message, MethodCall call, CancellationToken cancellationToken) =>
        _files.BinaryAsync(message, call, cancellationToken);

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        await _accounts.LoadAsync(cancellationToken).ConfigureAwait(false);
        await _stats.StartAsync(cancellationToken).ConfigureAwait(false);
        _routes.Start();
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _routes.StopAsync().ConfigureAwait(false);
        await _stats.StopAsync().ConfigureAwait(false);
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _accounts.All.Select(_status.Status)];

    public AccountSpelling Spelling { get; } = new()
    {
        Default = AccountIds.Primary,
        DefaultAliases = ["default"],
        MaxLength = AccountIds.MaxLength,
        Forbidden = @"|/\",
    };

    public async ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        var account = _accounts.Look(accountId);
        if (!Target.TryParse(target, out var parsed))
        {
            throw Refusals.Invalid(
                "invalid-target",
                "this is no bncr target; write Bncr:<platform>:<userId>, Bncr:<platform>:<groupId>:<userId>, or the session key",
                "bncr invalid target(standard: Bncr:<platform>:<groupId>:<userId> | Bncr:<platform>:<userId>)");
        }

        var found = await _routes.FindAsync(account, parsed.Route, cancellationToken).ConfigureAwait(false)
            ?? await FindOtherwiseReadAsync(account, parsed, cancellationToken).ConfigureAwait(false);
        if (found is null && accountId.Length == 0)
        {
            if (await FindElsewhereAsync(parsed.Route, cancellationToken).ConfigureAwait(false) is { } elsewhere) (account, found) =
                elsewhere;
            else if (!_options.AllowUnknownTargets) throw NotFound(parsed.Route, null);
        }

        if (found is { } known)
        {
            var sessionKey = parsed.TaskKey is null ? known.SessionKey : $"{known.SessionKey}:task:{parsed.TaskKey}";
            return new ChannelTarget(account.DisplayId, sessionKey, known.Route.Scope);
        }

        if (!_options.AllowUnknownTargets) throw NotFound(parsed.Route, account);
        var agentId = _gateway?.GetAgentId(ChannelId, account.DisplayId) ?? _options.SessionAgentId;
        return new ChannelTarget(account.DisplayId, new SessionKey(agentId, parsed.Route, parsed.TaskKey).ToString(), parsed.Route.Scope);
    }

    /// <summary>
    /// What was written with more colons than a form has can be read in several ways: as the group's (<c>19:…@thread.tacv2</c>) or as the user's. The one of which
    /// a conversation is known is meant; where there are several, it isn't guessed.
    /// </summary>
    private async ValueTask<(BncrRoute Route, string SessionKey)?> FindOtherwiseReadAsync(BncrAccount account, Target parsed, CancellationToken cancellationToken)
    {
        if (parsed.Form is TargetForm.Key or TargetForm.LegacyKey) return null;
        (BncrRoute Route, string SessionKey)? found = null;
        foreach (var route in parsed.Route.OtherReadings())
        {
            if (await _routes.FindAsync(account, route, cancellationToken).ConfigureAwait(false) is not { } known) continue;
            if (found is { } before)
            {
                throw Refusals.Invalid(
                    "target-ambiguous",
                    $"this can be {before.Route.Display} or {known.Route.Display}; write the colons of a group id as %3A, or take the session key",
                    "target known in several readings");
            }

            found = known;
        }

        return found;
    }

    /// <summary>The account that knows the conversation, when none was named. One that several know isn't guessed.</summary>
    private async ValueTask<(BncrAccount Account, (BncrRoute Route, string SessionKey) Known)?> FindElsewhereAsync(BncrRoute route,
        CancellationToken cancellationToken)
    {
        (BncrAccount Account, (BncrRoute Route, string SessionKey) Known)? found = null;
        foreach (var candidate in _accounts.All.OrderByDescending(account => account.Stats.LastInboundAt).Take(MostSearched))
        {
            if (await _routes.FindAsync(candidate, route, cancellationToken).ConfigureAwait(false) is not { } known) continue;
            if (found is { } before)
            {
                throw Refusals.Invalid(
                    "target-ambiguous",
                    $"{route.Display} has written to the accounts {before.Account.DisplayId} and {candidate.DisplayId}; name one of "
                        + "them (accountId)",
                    "target known in several accounts");
            }

            found = (candidate, known);
        }

        return found;
    }

    private static BridgeException NotFound(BncrRoute route, BncrAccount? account) => Refusals.Make(
        ErrorCodes.NotFound,
        "target-not-found",
        $"target not found in known sessions: {route.Display} has never written to "
            + $"{(account is null ? "any account" : $"account {account.DisplayId}")}",
        "target not found in known sessions");

    public ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken) =>
        ValueTask.FromResult(FormatTarget(sessionKey));

    /// <inheritdoc/>
    public string PlatformOf(string sessionKey) => Target.TryParse(sessionKey, out var target) ? target.Route.Platform : ChannelId;

    private static string FormatTarget(string sessionKey)
    {
        // The short form only where it leads back to this very lane.
        if (!Target.TryParse(sessionKey, out var key) || key.TaskKey is not null) return sessionKey;
        var display = key.Route.Display;
        return Target.TryParse(display, out var back) && back.Route == key.Route && back.TaskKey is null ? display : sessionKey;
    }

    private static RpcMethod Method<TParameters, TResult>(
        string name,
        Scopes scope,
        string summary,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<TParameters> parameters,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<TResult> result,
        Func<TParameters, MethodCall, CancellationToken, ValueTask<TResult>> handler,
        bool actsAfterAnswer = false)
        where TParameters : class =>
        RpcMethod.Create(name, scope, summary, parameters, result, handler, legacyErrors: true, actsAfterAnswer);
}
