using System.Globalization;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Channels.Juji.Methods;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Juji;

/// <summary>
/// The connector: agents of this host as members of Juji communities. It dials out, one connection for each account, and does nothing unless it is configured.
/// </summary>
internal sealed class JujiChannel : IChannel, IDiagnosticsSource, IToolSource, ITurnEnding, ITurnListener, IDisposable
{
    public const string ChannelId = "juji";

    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly HttpClient _http = CommunityApi.NewClient();
    private readonly JujiOptions _options;
    private readonly IOutbox _outbox;
    private readonly AccountBook _accounts;
    private readonly AnswerBook _answers;
    private readonly ToolSet _tools;
    private Task _running = Task.CompletedTask;
    private Task _settling = Task.CompletedTask;

    public JujiChannel(
        IOptions<JujiOptions> options,
        IDialer dialer,
        IInbox inbox,
        IOutbox outbox,
        INotifier notifier,
        IRecords records,
        IHostClaims claims,
        TimeProvider time,
        Random random,
        ILoggerFactory loggers,
        IGatewayAdmission? gateway = null,
        Func<SkillVariables>? skill = null)
    {
        _options = options.Value;
        _outbox = outbox;
        _answers = new AnswerBook(records, notifier, time, loggers.CreateLogger<AnswerBook>());
        _accounts = new AccountBook(_options.IsOn ? [.. Configured(_options).Select(one => Make(one.Id, one.Account))] : []);
        var methods = new JujiMethods(_accounts, _answers);
        _tools = new ToolSet(_accounts);
        Methods = methods.Methods;

        JujiAccount Make(string id, JujiAccountOptions account)
        {
            var variables = account.EnvFile is { } file ? SkillVariables.OfFile(file) : (skill ?? (static () => SkillVariables.OfSkill()))();
            var api = new CommunityApi(
                _http, () => CommunityAddress.Parse(account.BaseUrl ?? _options.BaseUrl ?? variables.Get(SkillVariables.BaseUrl) ?? JujiOptions.PublicCommunity), time);
            var calls = new CallTable(_options, time);
            var desk = new PushDesk(
                id, account.Agent ?? _options.Agent, new PushRoutes(account.Routes), inbox, notifier, gateway, time, loggers.CreateLogger<PushDesk>());
            var link = new CommunityLink(
                id, account, _options, variables, api, calls, desk.Take, dialer, time, random, loggers.CreateLogger<CommunityLink>());
            return new JujiAccount(id, _options, api, calls, desk, link, outbox, claims, time, loggers.CreateLogger<JujiAccount>());
        }
    }

    public string Id => ChannelId;

    public bool CanSend => _accounts.All.Count > 0;

    public AccountSpelling Spelling => AccountSpelling.AsWritten;

    public IEnumerable<RpcMethod> Methods { get; }

    /// <inheritdoc/>
    /// <remarks>An agent is offered no tools for a community that isn't configured.</remarks>
    public IEnumerable<AgentTool> Tools => _accounts.All.Count > 0 ? _tools.Tools : [];

    public string Section => ChannelId;

    string ITurnEnding.Channel => ChannelId;

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        if (_accounts.All.Count == 0) return;
        await _answers.SettleAsync(cancellationToken).ConfigureAwait(false);
        // The accounts' work has no beginning that the host could wait for: a community may be away for days.
        _running = Task.WhenAll(_accounts.All.Select(account => Task.Run(() => account.RunAsync(_stop.Token, _giveUp.Token), CancellationToken.None)));
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        try
        {
            await Task.WhenAll(_running, _settling).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await _giveUp.CancelAsync().ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        foreach (var account in _accounts.All) account.Dispose();
        _answers.Dispose();
        _http.Dispose();
        _stop.Dispose();
        _giveUp.Dispose();
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _accounts.All.Select(account =>
    {
        var connected = account.Link.State == ConnectorState.Connected;
        var backlog = _outbox.GetBacklog(ChannelId, account.Id);
        return new ChannelAccountStatus
        {
            AccountId = account.Id,
            Connected = connected,
            ActiveConnections = connected ? 1 : 0,
            LastActivityAt = At(account.Link.HeardAt),
            LastInboundAt = At(account.Desk.LastAt),
            LastOutboundAt = At(account.LastOutboundAt),
            Pending = backlog.Pending,
            DeadLetter = backlog.DeadLetter,
        };
    })];

    /// <inheritdoc/>
    /// <remarks>A target is a member's id: <c>17</c>, also as <c>juji:17</c>.</remarks>
    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        var account = accountId.Length > 0
            ? _accounts.Find(accountId) ?? throw new BridgeException(ErrorCodes.NotFound, "There is no such Juji account; the settings name them under Channels:Juji:Accounts.")
            : _accounts.All.Count == 1 ? _accounts.All[0] : _accounts.Find(AccountIds.Default) ?? throw BridgeException.Invalid("name the account whose community is meant");
        var own = $"{ChannelId}:{AccountIds.Key(account.Id)}:to:";
        var text = target.Trim();
        if (text.StartsWith(own, StringComparison.OrdinalIgnoreCase)) text = text[own.Length..];
        else if (text.StartsWith(ChannelId + ":", StringComparison.OrdinalIgnoreCase)) text = text[(ChannelId.Length + 1)..];
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var member) || member <= 0)
            throw BridgeException.Invalid("a target of the Juji channel is a member's number, such as juji:17");
        var id = member.ToString(CultureInfo.InvariantCulture);
        return ValueTask.FromResult(new ChannelTarget(account.Id, own + id, id));
    }

    public ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken) =>
        ValueTask.FromResult(sessionKey.Contains(":to:", StringComparison.Ordinal) ? route : sessionKey);

    public ValueTask<IReadOnlyList<RecordWrite>> EndAsync(TurnEnding ending, CancellationToken cancellationToken) => ValueTask.FromResult(_answers.End(ending));

    public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
    {
        // The turn's end has all of it.
    }

    public void OnTurnEnded(AgentTurn turn, bool failed)
    {
        if (turn.Message.Channel == ChannelId && turn.Message.Route.Length > 0) _settling = SettleAsync();
    }

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var accounts = new JsonArray();
        foreach (var account in _accounts.All) accounts.Add(
            (JsonNode?)System.Text.Json.JsonSerializer.SerializeToNode(JujiMethods.Describe(account), JujiJson.Relaxed.AccountStatus));
        return ValueTask.FromResult(new JsonObject { ["enabled"] = _accounts.All.Count > 0, ["accounts"] = accounts });
    }

    private static IEnumerable<(string Id, JujiAccountOptions Account)> Configured(JujiOptions options) =>
        options.Accounts.Count == 0
            ? [(AccountIds.Default, new JujiAccountOptions())]
            : options.Accounts.Where(static account => account.Value.Enabled).Select(static account => (account.Key, account.Value));

    private static long? At(long time) => time > 0 ? time : null;

    private async Task SettleAsync()
    {
        try
        {
            await _answers.SettleAsync(_stop.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is OperationCanceledException or BridgeException)
        {
            // The next answer, or the next start, settles it.
        }
    }
}
