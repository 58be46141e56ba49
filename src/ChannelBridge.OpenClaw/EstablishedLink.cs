using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.OpenClaw;

/// <summary>One link that has said hello: its peer, the gateway connections that it speaks for, and the turns that run over it.</summary>
internal sealed class EstablishedLink(IClientConnection connection, IRpcPeer peer, HelloParameters hello, LinkTraffic traffic, LinkOptions options, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, GatewayConnection> _connections = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, RunningTurn> _turns = new(StringComparer.Ordinal);
    private int _ended;

    /// <summary>The socket that it runs over.</summary>
    public IClientConnection Connection => connection;

    /// <summary>What the plugin said of itself last.</summary>
    public HelloParameters Hello { get; set; } = hello;

    /// <summary>The channels that the gateway has by it. A plugin that doesn't say so has those of its accounts.</summary>
    public IReadOnlyList<string> Channels => Hello.Channels ?? [.. (Hello.Accounts ?? []).Select(account => account.Channel).Distinct(StringComparer.Ordinal)];

    /// <summary>True for a channel that the gateway knows: answers to its messages come through the gateway's own queue.</summary>
    public bool Owns(string channel)
    {
        foreach (var own in Channels)
        {
            if (string.Equals(own, channel, StringComparison.OrdinalIgnoreCase)) return true;
        }

        return false;
    }

    /// <summary>True when the link's token is for this account of this channel.</summary>
    public bool MayUse(string channel, string accountId) => connection.Caller.MayUseChannel(channel) && connection.Caller.MayUseAccount(accountId);

    /// <summary>The same, of a conversation with its platform.</summary>
    public bool MayUse(IChannel? channel, LaneKey lane) => MayUse(lane.Channel, lane.Account)
        && (connection.Caller.Platforms is null || connection.Caller.MayUsePlatform(channel?.PlatformOf(lane.SessionKey) ?? lane.Channel));

    /// <summary>Of the gateway's accounts those that the link's token is for, with names that may be shown.</summary>
    public IReadOnlyList<LinkAccount> Accounts(IReadOnlyList<LinkAccount>? said) =>
        [.. (said ?? []).Where(account => MayUse(account.Channel, account.AccountId)).Select(account => account.Cleaned())];

    /// <summary>The plugin takes bytes as binary messages.</summary>
    public bool TakesBinary { get; } = hello.Features?.Contains(LinkFeatures.Binary) == true;

    /// <summary>Counts bytes of files that cross the link, in either direction.</summary>
    public LinkTraffic Traffic => traffic;

    /// <summary>When it was established.</summary>
    public DateTimeOffset Since { get; } = time.GetUtcNow();

    public int Connections => _connections.Count;

    public int Turns => _turns.Count;

    public bool Ended => Volatile.Read(ref _ended) != 0;

    /// <summary>The connection of a gateway client; made when the client is heard for the first time.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Busy"/>: too many connections.</exception>
    public GatewayConnection Of(string connId, Func<Caller> caller)
    {
        if (_connections.TryGetValue(connId, out var known))
        {
            known.Heard();
            return known;
        }

        if (_connections.Count >= options.MaxConnections)
        {
            throw BridgeException.Busy($"The link speaks for {options.MaxConnections} connections already.", TimeSpan.FromSeconds(5));
        }

        var added = _connections.GetOrAdd(connId, id => new GatewayConnection(this, id, caller(), time));
        // The link may have ended between the look-up and the add; then nobody else closes it.
        if (Ended) added.Close();
        return added;
    }

    /// <summary>A gateway client is gone.</summary>
    public void Disconnected(string connId)
    {
        if (_connections.TryRemove(connId, out var gone)) gone.Close();
    }

    /// <summary>Starts to listen for a turn's events.</summary>
    public RunningTurn OpenTurn(string turnId, bool collect = false)
    {
        var turn = new RunningTurn(turnId, collect);
        _turns[turnId] = turn;
        if (Ended) turn.Fail(Lost());
        return turn;
    }

    /// <summary>The message that is answered in a session of the gateway now, or null.</summary>
    public InboundMessage? MessageOf(string sessionKey)
    {
        foreach (var turn in _turns.Values)
        {
            if (turn.Subject is { } subject && string.Equals(subject.SessionKey, sessionKey, StringComparison.OrdinalIgnoreCase)) return subject.Message;
        }

        return null;
    }

    public void CloseTurn(RunningTurn turn) => _turns.TryRemove(turn.Id, out _);

    /// <summary>An event of a turn; unknown turns are over and ignored.</summary>
    public void OnTurnEvent(TurnEventParameters turnEvent)
    {
        if (_turns.TryGetValue(turnEvent.TurnId, out var turn)) turn.On(turnEvent);
    }

    /// <summary>Calls the plugin and reads its answer.</summary>
    /// <exception cref="BridgeException">The plugin's own error, or <see cref="ErrorCodes.Unavailable"/> when it is gone or
    /// silent.</exception>
    public ValueTask<TResult> CallAsync<TResult>(
        string method, ReadOnlyMemory<byte> parameters, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken)
        where TResult : class => CallAsync(method, parameters, content: default, resultType, cancellationToken);

    /// <summary>Calls the plugin with bytes beside the parameters; only where it takes them.</summary>
    /// <exception cref="BridgeException">As above.</exception>
    public async ValueTask<TResult> CallAsync<TResult>(
        string method, ReadOnlyMemory<byte> parameters, ReadOnlyMemory<byte> content, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken)
        where TResult : class
    {
        using var timeout = new CancellationTokenSource(options.CallTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        ReadOnlyMemory<byte> answer;
        try
        {
            answer = content.IsEmpty
                ? await peer.InvokeAsync(method, parameters, linked.Token).ConfigureAwait(false)
                : await peer.InvokeAsync(method, parameters, content, linked.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw BridgeException.Unavailable(
                $"The OpenClaw gateway didn't answer {method} within {options.CallTimeout.TotalSeconds:0} s.", TimeSpan.FromSeconds(1));
        }

        try
        {
            return JsonSerializer.Deserialize(answer.Span, resultType)
                ?? throw new BridgeException(ErrorCodes.Internal, $"The plugin answered {method} with null.") { Retryable = true };
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.Internal, $"The plugin answered {method} with something else than docs/link.md says.", fault) { Retryable = true };
        }
    }

    /// <summary>Calls the plugin with typed parameters.</summary>
    public ValueTask<TResult> CallAsync<TParameters, TResult>(
        string method,
        TParameters parameters,
        JsonTypeInfo<TParameters> parametersType,
        JsonTypeInfo<TResult> resultType,
        CancellationToken cancellationToken)
        where TResult : class =>
        CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters, parametersType), resultType, cancellationToken);

    /// <summary>Tells the plugin something without waiting for it.</summary>
    public void Notify(string method) => _ = peer.NotifyAsync(method, default).AsTask();

    /// <summary>The link is gone: every connection it spoke for is closed, every turn goes back to the inbox.</summary>
    public void End()
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0) return;
        foreach (var connId in _connections.Keys) Disconnected(connId);
        foreach (var turn in _turns.Values) turn.Fail(Lost());
    }

    private static BridgeException Lost() => BridgeException.Unavailable("The link to the OpenClaw gateway was lost during the turn; it runs again.");
}
