using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Channels.Aun.Connector.Methods;

/// <summary><c>aun.send</c> and <c>aun.status</c>.</summary>
internal sealed class AunMethods(IReadOnlyList<AunAccount> accounts, RefusalBook refusals, IOutbox outbox)
{
    private const int MostReceipts = 20;
    private const int LongestKey = 200;

    /// <summary>The methods.</summary>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create("aun.send", Scopes.Write, "Sends a message to an AID from an account of the AUN connector, sealed unless the account says otherwise.",
            AunConnectorJson.Relaxed.SendParams, AunConnectorJson.Relaxed.SendResult, SendAsync),
        RpcMethod.Create("aun.status", Scopes.Read, "How the accounts of the AUN connector stand, with the receipts of messages that were refused.",
            AunConnectorJson.Relaxed.StatusParams, AunConnectorJson.Relaxed.StatusResult, StatusAsync),
    ];

    /// <summary>How an account stands.</summary>
    public static AunAccountStatus Describe(AunAccount account)
    {
        var (link, counts, backlog) = (account.Link, account.Desk.Counts, account.Backlog);
        return new AunAccountStatus
        {
            AccountId = account.Id,
            Aid = account.Aid,
            State = JsonNamingPolicy.SnakeCaseLower.ConvertName(link.State.ToString()),
            Gateway = link.Gateway?.ToString(),
            DeviceId = link.DeviceId.Length > 0 ? link.DeviceId : null,
            Encrypt = account.Options.Encrypt,
            LastError = link.LastError,
            ConnectedAt = At(link.ConnectedAt),
            LastHeardAt = At(link.HeardAt),
            ReconnectAttempts = link.Attempts,
            Seq = backlog.Cursor,
            MissingFrom = backlog.Hole?.From,
            MissingTo = backlog.Hole?.To,
            Accepted = counts.Accepted,
            Duplicates = counts.Duplicates,
            Refused = counts.Refused,
            NotForUs = counts.NotForUs,
            HolesPassed = counts.HolesPassed,
            WentBack = counts.WentBack,
            Sealing = link.Sealer?.Counts.ToJson(),
        };
    }

    private async ValueTask<SendResult> SendAsync(SendParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = Look(parameters.AccountId, call.Caller);
        var target = ConnectorPart.TargetOf(account, parameters.To);
        var payload = parameters.Payload is { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } given ? given : (JsonElement?)null;
        if ((parameters.Text is null) == (payload is null)) throw BridgeException.Invalid("give either text or payload");
        if (payload is { ValueKind: not JsonValueKind.Object }) throw BridgeException.Invalid("payload must be one JSON object");
        var key = parameters.IdempotencyKey is { Length: > 0 } named ? named : Guid.NewGuid().ToString("N");
        if (key.Length > LongestKey) throw BridgeException.Invalid($"idempotencyKey has {LongestKey} characters at most");
        var message = new OutboundMessage
        {
            Channel = AunChannel.ChannelId,
            AccountId = account.Id,
            SessionKey = target.SessionKey,
            Route = target.Route,
            Text = parameters.Text ?? payload!.Value.GetRawText(),
            Type = payload is null ? "text" : AunPushes.PayloadType,
        };
        var receipt = await outbox.SendAsync(message, $"aun/send/{account.Aid}/{key}", cancellationToken: cancellationToken).ConfigureAwait(false);
        return new SendResult(account.Id, receipt.Id.ToString("D"), receipt.Seq, receipt.Duplicate, account.Options.Encrypt);
    }

    private async ValueTask<StatusResult> StatusAsync(StatusParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var asked = parameters.AccountId is { Length: > 0 } named ? [Look(named, call.Caller)] : accounts.Where(account => call.Caller.MayUseAccount(account.Id));
        var found = new List<AunAccountStatus>();
        foreach (var account in asked)
            found.Add(Describe(account) with { Receipts = await refusals.ListAsync(account.Aid, MostReceipts, cancellationToken).ConfigureAwait(false) });
        return new StatusResult(found);
    }

    private AunAccount Look(string? accountId, Caller caller)
    {
        if (accounts.Count == 0) throw new BridgeException(ErrorCodes.Unavailable, "The AUN connector isn't configured: name an account under Channels:Aun:Accounts.");
        if (string.IsNullOrWhiteSpace(accountId))
        {
            var own = accounts.Where(account => caller.MayUseAccount(account.Id)).ToList();
            return own.Count switch
            {
                1 => own[0],
                0 => throw Forbidden(),
                _ => throw BridgeException.Invalid($"accountId is required: {string.Join(", ", own.Select(static account => account.Id))}"),
            };
        }

        if (!caller.MayUseAccount(accountId)) throw Forbidden();
        return accounts.FirstOrDefault(account => string.Equals(account.Id, accountId.Trim(), StringComparison.OrdinalIgnoreCase))
            ?? throw new BridgeException(ErrorCodes.NotFound, "There is no such AUN account; the settings name them under Channels:Aun:Accounts.");
    }

    private static BridgeException Forbidden() => new(ErrorCodes.Forbidden, "The token isn't for that account.");

    private static long? At(long time) => time > 0 ? time : null;
}
