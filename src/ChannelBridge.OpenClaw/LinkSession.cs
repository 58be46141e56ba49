using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.OpenClaw;

/// <summary>Knows the current link to an OpenClaw gateway, if there is one, and who waits for one.</summary>
internal sealed partial class LinkSession(PluginPackage package, TimeProvider time, ILogger<LinkSession> logger) : IDiagnosticsSource
{
    private readonly Lock _gate = new();
    private volatile EstablishedLink? _current;
    private TaskCompletionSource _available = NewSignal();
    private volatile IReadOnlyList<LinkAccount> _accounts = [];
    private volatile IReadOnlyList<string>? _channels;
    private long _established;
    private long _turns;
    private long _partials;
    private long _typing;
    private long _sends;
    private long _duplicates;
    private string? _lastEnd;

    public string Section => "link";

    /// <summary>The bytes of files over all links.</summary>
    public LinkTraffic Traffic { get; } = new();

    /// <summary>The channels that the gateway has by the plugin, as it said last; what the host's own package says before that.</summary>
    public bool Owns(string channel) =>
        _current is { } link ? link.Owns(channel) : (_channels ?? package.Channels).Contains(channel, StringComparer.OrdinalIgnoreCase);

    /// <summary>The link, or null while it is away.</summary>
    public EstablishedLink? Current => _current;

    /// <summary>The accounts as the gateway said them last; empty before the first hello.</summary>
    public IReadOnlyList<LinkAccount> Accounts
    {
        get => _accounts;
        set => _accounts = value;
    }

    /// <summary>An account as the gateway said it last, or null.</summary>
    public LinkAccount? Find(string channel, string accountId)
    {
        foreach (var account in _accounts)
        {
            if (string.Equals(account.Channel, channel, StringComparison.OrdinalIgnoreCase) && string.Equals(account.AccountId, accountId, StringComparison.OrdinalIgnoreCase))
                return account;
        }

        return null;
    }

    /// <summary>Completes while a link is up.</summary>
    public Task WaitAsync(CancellationToken cancellationToken)
    {
        lock (_gate) return _available.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The link.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Unavailable"/>: it is away.</exception>
    public EstablishedLink Require() => _current ?? throw BridgeException.Unavailable(
        "The OpenClaw gateway is not connected to this host; the request can be repeated when it is.", TimeSpan.FromSeconds(1));

    /// <summary>A plugin has said hello: it is the link now, and one that was there before is not any more.</summary>
    public void Establish(EstablishedLink link)
    {
        EstablishedLink? before;
        lock (_gate)
        {
            before = _current;
            _current = link;
            _accounts = link.Accounts(link.Hello.Accounts);
            _channels = link.Channels;
            _established++;
            _available.TrySetResult();
        }

        LogEstablished(logger, link.Hello.GatewayVersion, link.Hello.PluginVersion, link.Hello.InstanceId);
        if (package.Judge(link.Hello.Package) == PluginPackage.Other) LogOldPackage(logger, link.Hello.PluginVersion);
        if (before is not null && !ReferenceEquals(before.Connection, link.Connection))
        {
            LogReplaced(logger, before.Hello.InstanceId);
            before.Notify("link.replaced");
        }

        before?.End();
        link.Connection.Closed.UnsafeRegister(static state =>
        {
            var (session, ended) = ((LinkSession, EstablishedLink))state!;
            session.Lose(ended);
        }, (this, link));
    }

    /// <summary>The link has said hello again, because this host told it that something has changed: it stays what it is.</summary>
    /// <returns>False: the connection isn't the link.</returns>
    public bool Renew(IClientConnection connection, HelloParameters hello)
    {
        lock (_gate)
        {
            if (_current is not { } link || !ReferenceEquals(link.Connection, connection)) return false;
            link.Hello = hello;
            _accounts = link.Accounts(hello.Accounts);
            _channels = link.Channels;
            return true;
        }
    }

    /// <summary>Channels, methods or tools of this host have changed: the plugin says hello again and is told of them.</summary>
    public void Announce() => _current?.Notify("link.changed");

    public void CountTurn(RunningTurn turn)
    {
        Interlocked.Increment(ref _turns);
        Interlocked.Add(ref _partials, turn.Partials);
        Interlocked.Add(ref _typing, turn.Typing);
    }

    public void CountSend(bool duplicate)
    {
        Interlocked.Increment(ref _sends);
        if (duplicate) Interlocked.Increment(ref _duplicates);
    }

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var link = _current;
        var section = new JsonObject
        {
            ["connected"] = link is not null,
            ["gatewayVersion"] = link?.Hello.GatewayVersion,
            ["pluginVersion"] = link?.Hello.PluginVersion,
            ["package"] = link is null ? null : package.Judge(link.Hello.Package),
            ["channels"] = new JsonArray([.. (link?.Channels ?? []).Select(channel => (JsonNode)channel)]),
            ["since"] = link?.Since.ToUnixTimeMilliseconds(),
            ["connections"] = link?.Connections ?? 0,
            ["turnsRunning"] = link?.Turns ?? 0,
            ["established"] = Interlocked.Read(ref _established),
            ["turns"] = Interlocked.Read(ref _turns),
            ["partials"] = Interlocked.Read(ref _partials),
            ["typing"] = Interlocked.Read(ref _typing),
            ["sends"] = Interlocked.Read(ref _sends),
            ["duplicateSends"] = Interlocked.Read(ref _duplicates),
            ["fileBytesBinary"] = Traffic.Binary,
            ["fileBytesBase64"] = Traffic.Base64,
            ["lastEndedAt"] = _lastEnd,
        };
        return ValueTask.FromResult(section);
    }

    private void Lose(EstablishedLink link)
    {
        lock (_gate)
        {
            if (ReferenceEquals(_current, link))
            {
                _current = null;
                _available = NewSignal();
                _lastEnd = time.GetUtcNow().ToString("O");
                LogLost(logger, link.Connections, link.Turns);
            }
        }

        link.End();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(LogEvents.LinkSessionEstablished, LogLevel.Information, "Linked to an OpenClaw gateway {GatewayVersion} by plugin {PluginVersion}, instance {Instance}.")]
    private static partial void LogEstablished(ILogger logger, string? gatewayVersion, string? pluginVersion, string instance);

    [LoggerMessage(LogEvents.LinkSessionReplaced, LogLevel.Warning, "Another gateway has taken the link over from instance {Instance}. One host serves one gateway at a time.")]
    private static partial void LogReplaced(ILogger logger, string instance);

    [LoggerMessage(LogEvents.LinkSessionOldPackage, LogLevel.Warning,
        "The plugin {PluginVersion} that the gateway has installed is not the package that belongs to this host. Install this host's package: docs/link.md says how.")]
    private static partial void LogOldPackage(ILogger logger, string? pluginVersion);

    [LoggerMessage(LogEvents.LinkSessionLost, LogLevel.Warning,
        "The link to the OpenClaw gateway is gone: {Connections} connections are closed, {Turns} turns go back to the inbox.")]
    private static partial void LogLost(ILogger logger, int connections, int turns);
}
