using System.Text.Json.Nodes;
using ChannelBridge.Channels.InstaClaw.Connection;
using ChannelBridge.Channels.InstaClaw.Registration;
using ChannelBridge.Core.Channels;
using ChannelBridge.Core.Diagnostics;
using ChannelBridge.Core.Errors;
using ChannelBridge.Core.Methods;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>
/// The InstaClaw channel: it dials out to the platform's broker, one connection per account, answers users with streams of Open Responses events, and
/// registers the account where it isn't yet. It does nothing unless it is configured.
/// </summary>
internal sealed class InstaClawChannel : IChannel, IDiagnosticsSource, IDisposable
{
    public const string ChannelId = "instaclaw";

    private readonly CancellationTokenSource _stop = new();
    private readonly List<InstaClawAccount> _accounts = [];
    private Task _running = Task.CompletedTask;

    public InstaClawChannel(
        IOptions<InstaClawOptions> options, IBrokerDialer dialer, TimeProvider time, Random random, ILoggerFactory loggers)
    {
        var settings = options.Value;
        if (settings.IsOn)
        {
            foreach (var (id, account) in Configured(settings))
            {
                _accounts.Add(Make(id, account, settings, dialer, time, random, loggers));
            }
        }

        Methods = [];
    }

    public string Id => ChannelId;

    public bool CanSend => false;

    public IEnumerable<GatewayMethod> Methods { get; }

    public string Section => ChannelId;

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        // The accounts' work has no beginning that the host could wait for: a broker may be away for days.
        _running = Task.WhenAll(_accounts.Select(account => Task.Run(() => account.RunAsync(_stop.Token), CancellationToken.None)));
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => _stop.Dispose();

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _accounts.Select(Status)];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        throw BridgeException.Invalid("InstaClaw only answers: its users can't be written to first, so there is no target to send to");

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var accounts = new JsonArray();
        foreach (var account in _accounts) accounts.Add((JsonNode)Describe(account));
        return ValueTask.FromResult(new JsonObject { ["enabled"] = _accounts.Count > 0, ["accounts"] = accounts });
    }

    private static IEnumerable<(string Id, InstaClawAccountOptions Account)> Configured(InstaClawOptions options) =>
        options.Accounts.Count == 0
            ? [(AccountIds.Default, new InstaClawAccountOptions())]
            : options.Accounts.Where(account => account.Value.Enabled).Select(account => (account.Key, account.Value));

    private static InstaClawAccount Make(
        string id, InstaClawAccountOptions own, InstaClawOptions options, IBrokerDialer dialer, TimeProvider time, Random random, ILoggerFactory loggers)
    {
        var endpoints = Endpoints.Of(options, own);
        var files = new ProfileFiles(BaseFolder(id, own, options), time, loggers.CreateLogger<ProfileFiles>());
        var connection = new BrokerConnection(id, endpoints.Broker, options, dialer, new Silent(), time, random, loggers.CreateLogger<BrokerConnection>());
        return new InstaClawAccount(id, options, files, connection, _ => Task.CompletedTask, time, loggers.CreateLogger<InstaClawAccount>());
    }

    private static string BaseFolder(string id, InstaClawAccountOptions own, InstaClawOptions options)
    {
        if (own.BaseFolder is { } named) return named;
        return AccountIds.Key(id) == AccountIds.Default ? options.BaseFolder : Path.Combine(options.BaseFolder, "accounts", AccountIds.Key(id));
    }

    private static ChannelAccountStatus Status(InstaClawAccount account) => new()
    {
        AccountId = account.Id,
        Connected = account.Connection.State == ConnectionState.Connected,
        ActiveConnections = account.Connection.State == ConnectionState.Connected ? 1 : 0,
        LastActivityAt = account.Connection.LastHeardAt is > 0 and var at ? at : null,
    };

    private static JsonObject Describe(InstaClawAccount account) => new()
    {
        ["accountId"] = account.Id,
        ["state"] = account.Connection.State.ToString().ToLowerInvariant(),
        ["lastError"] = account.Files.Problem is { } problem ? $"profile.json: {problem}" : account.Connection.LastError,
        ["registered"] = account.Profile is not null,
        ["connectedAt"] = account.Connection.ConnectedAt is > 0 and var at ? at : null,
        ["reconnectAttempts"] = account.Connection.Attempts,
        ["missedPongs"] = account.Connection.MissedPongs,
    };

    private sealed class Silent : IBrokerEvents
    {
        public Task Connected(IBrokerSocket socket, CancellationToken end) => Task.CompletedTask;

        public ValueTask ReceivedAsync(ReadOnlyMemory<byte> message, CancellationToken end) => ValueTask.CompletedTask;

        public void Beat(IBrokerSocket socket) => _ = socket.PingAsync(0, CancellationToken.None).AsTask();

        public void Ponged(long number)
        {
        }
    }
}
