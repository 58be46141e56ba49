using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Aun.Connector.Methods;
using ChannelBridge.Channels.Aun.Endpoint;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>The connector's half of the channel: agents of this host as identities on others' gateways. It does nothing unless accounts are configured.</summary>
internal sealed class ConnectorPart : IAunPart, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly ConnectorParts _parts;
    private readonly AunAccount[] _accounts;
    private readonly AunMethods _methods;
    private Task _running = Task.CompletedTask;

    public ConnectorPart(IOptions<AunOptions> options, ConnectorParts parts)
    {
        _parts = parts;
        var refusals = new RefusalBook(parts.Records, parts.Time);
        _accounts = [.. options.Value.Accounts.Where(static one => one.Value is { Enabled: true, Aid: not null })
            .Select(one => new AunAccount(one.Key, one.Value, options.Value, refusals, parts))];
        _methods = new AunMethods(_accounts, refusals, parts.Outbox);
    }

    public string Name => "connector";

    public bool IsOn => _accounts.Length > 0;

    public IEnumerable<RpcMethod> Methods => _methods.Methods;

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        // The accounts' work has no beginning that the host could wait for: a gateway may be away for days.
        _running = Task.WhenAll(_accounts.Select(account => Task.Run(() => account.RunAsync(_stop.Token, _giveUp.Token), CancellationToken.None)));
        return default;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        try
        {
            await _running.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await _giveUp.CancelAsync().ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        foreach (var account in _accounts) account.Dispose();
        _stop.Dispose();
        _giveUp.Dispose();
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _accounts.Select(account =>
    {
        var connected = account.Link.State == LinkState.Connected;
        var backlog = _parts.Outbox.GetBacklog(AunChannel.ChannelId, account.Id);
        return new ChannelAccountStatus
        {
            AccountId = account.Id,
            Connected = connected,
            ActiveConnections = connected ? 1 : 0,
            LastActivityAt = At(account.Link.HeardAt),
            LastInboundAt = At(account.Desk.LastAt),
            LastOutboundAt = At(account.Pushes.LastAt),
            Pending = backlog.Pending,
            DeadLetter = backlog.DeadLetter,
        };
    })];

    public bool Owns(string accountId) => accountId.Length == 0 ? _accounts.Length == 1 : Find(accountId) is not null;

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        var account = (accountId.Length == 0 ? _accounts.FirstOrDefault() : Find(accountId))
            ?? throw new BridgeException(ErrorCodes.NotFound, "There is no such AUN account; the settings name them under Channels:Aun:Accounts.");
        return ValueTask.FromResult(TargetOf(account, target));
    }

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var accounts = new JsonArray();
        foreach (var account in _accounts)
            accounts.Add((JsonNode?)JsonSerializer.SerializeToNode(AunMethods.Describe(account), AunConnectorJson.Relaxed.AunAccountStatus));
        return ValueTask.FromResult(new JsonObject { ["accounts"] = accounts });
    }

    /// <summary>Where a message to an AID goes.</summary>
    public static ChannelTarget TargetOf(AunAccount account, string target)
    {
        var to = target.Trim().ToLowerInvariant();
        return AidName.IsSound(to)
            ? new ChannelTarget(account.Id, AunChannel.SessionKeyOf(account.Aid, to), to)
            : throw BridgeException.Invalid("a target of AUN is the receiver's AID, such as alice.agentid.pub");
    }

    // Also by the AID, which is what a session key has.
    private AunAccount? Find(string accountId) =>
        Array.Find(_accounts, account => string.Equals(account.Id, accountId.Trim(), StringComparison.OrdinalIgnoreCase))
        ?? Array.Find(_accounts, account => string.Equals(account.Aid, accountId.Trim(), StringComparison.OrdinalIgnoreCase));

    private static long? At(long time) => time > 0 ? time : null;
}
