using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// A channel whose code is in a plugin's process. What the host asks while there is no process is answered from what it last said, or not
/// at all.
/// </summary>
internal sealed class PluginChannel(
    ManifestChannel channel, PluginLink link, IOutbox outbox, IReadOnlyList<RpcMethod> methods, IReadOnlyList<string> events)
    : IChannel
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private volatile IReadOnlyList<PluginAccount> _accounts = [];
    private long _lastInbound;
    private long _lastOutbound;

    public string Id => channel.Id;

    public bool CanSend => channel.Send;

    public bool ForGateway => channel.Gateway;

    public IEnumerable<RpcMethod> Methods => methods;

    public IEnumerable<string> Events => events;

    /// <summary>Nothing: the plugin's supervisor starts its process.</summary>
    public ValueTask StartAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>Nothing: the plugin's supervisor stops its process.</summary>
    public ValueTask StopAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public IReadOnlyList<ChannelAccountStatus> GetAccounts()
    {
        var running = link.Current is not null;
        return [.. _accounts.Select(account =>
        {
            var backlog = outbox.GetBacklog(Id, account.AccountId);
            return new ChannelAccountStatus
            {
                AccountId = account.AccountId,
                Connected = running && account.Connected,
                ActiveConnections = running ? account.ActiveConnections : 0,
                LastInboundAt = Known(ref _lastInbound),
                LastOutboundAt = Known(ref _lastOutbound),
                LastActivityAt = account.LastActivityAt,
                Pending = backlog.Pending,
                DeadLetter = backlog.DeadLetter,
            };
        })];
    }

    public async ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        if (!channel.Send) throw BridgeException.Invalid($"channel {Id} only answers");
        var resolved = await link.Require().ResolveTargetAsync(Id, accountId, target, cancellationToken)
            .WaitAsync(Patience, cancellationToken).TranslateAsync().ConfigureAwait(false);
        if (resolved is not { AccountId: not null, SessionKey: not null, Route: not null } || Find(resolved.AccountId) is null
            || !OwnsSession(resolved.SessionKey))
            throw new BridgeException(ErrorCodes.Internal, $"channel {Id} resolved the target to what isn't its own");
        return new ChannelTarget(resolved.AccountId, resolved.SessionKey, resolved.Route);
    }

    public async ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken)
    {
        if (link.Current is not { } live) return sessionKey;
        try
        {
            var target = await live.Plugin.FormatTargetAsync(Id, sessionKey, route, cancellationToken)
                .WaitAsync(Patience, cancellationToken).TranslateAsync().ConfigureAwait(false);
            return string.IsNullOrEmpty(target) ? sessionKey : target;
        }
        catch (Exception fault) when (fault is BridgeException or TimeoutException)
        {
            // The session key names the conversation as well, only longer.
            return sessionKey;
        }
    }

    /// <summary>The plugin reported its accounts.</summary>
    public void Report(IReadOnlyList<PluginAccount> accounts) => _accounts = accounts;

    /// <summary>
    /// An account that a process names before the host has its answer to <c>start</c>: it goes by the answer whether it stays. False when there
    /// are too many.
    /// </summary>
    public bool Expect(string accountId, int most)
    {
        lock (methods)
        {
            if (Find(accountId) is not null) return true;
            if (_accounts.Count >= most) return false;
            _accounts = [.. _accounts, new PluginAccount { AccountId = accountId, Connected = true }];
            return true;
        }
    }

    /// <summary>An account that was reported, in whatever case, or null.</summary>
    public PluginAccount? Find(string accountId) =>
        _accounts.FirstOrDefault(account => string.Equals(account.AccountId, accountId, StringComparison.OrdinalIgnoreCase));

    /// <summary>True for a conversation of this channel.</summary>
    public bool OwnsSession(string sessionKey) =>
        sessionKey.StartsWith(Id + ":", StringComparison.Ordinal) && sessionKey.Length > Id.Length + 1;

    /// <summary>A message was accepted.</summary>
    public void SawInbound(DateTimeOffset now) => Volatile.Write(ref _lastInbound, now.ToUnixTimeMilliseconds());

    /// <summary>A message was pushed.</summary>
    public void SawOutbound(DateTimeOffset now) => Volatile.Write(ref _lastOutbound, now.ToUnixTimeMilliseconds());

    private static long? Known(ref long at) => Volatile.Read(ref at) is var value and not 0 ? value : null;
}
