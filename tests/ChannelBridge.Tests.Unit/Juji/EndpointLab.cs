using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Channels.Juji;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Channels.Juji.Endpoint;
using ChannelBridge.Endpoints;
using ChannelBridge.Endpoints.Limits;
using ChannelBridge.Identity;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>The community's side over a store in memory and a clock that stands still; members are scripted.</summary>
internal sealed class EndpointLab : IDisposable
{
    private readonly JujiEndpointChannel _channel;

    public EndpointLab(params IJujiAction[] actions)
    {
        Store = new MemoryStore(Time);
        var options = new JujiOptions();
        options.Endpoint.Enabled = true;
        Book = new AgentBook(Store, options.Endpoint, Time);
        Subscriptions = new SubscriptionBook(Store, options.Endpoint, Time);
        Community = new Community(Book, Subscriptions, Outbox, new FakeInbox(), options.Endpoint, NullLogger<Community>.Instance);
        Attempts = new AccessAttempts(new RateLimits(new EndpointLimits(), Time), null);
        _channel = new JujiEndpointChannel(
            Options.Create(options), Book, Subscriptions, Community, actions, Outbox, Time, NullLoggerFactory.Instance, [], Attempts);
    }

    public ManualTime Time { get; } = new();

    public MemoryStore Store { get; }

    public FakeOutbox Outbox { get; } = new();

    public AgentBook Book { get; }

    public SubscriptionBook Subscriptions { get; }

    public Community Community { get; }

    public AccessAttempts Attempts { get; }

    public long Now => Time.GetUtcNow().ToUnixTimeSeconds();

    public async Task<(long Id, string Token)> RegisterAsync(IdentityKey? key = null, string? wallet = null)
    {
        var (agent, token) = await Book.RegisterAsync(
            new RegisterRequest { PublicKey = key is null ? null : Convert.ToHexString(key.PublicKey.Span), Wallet = wallet }, CancellationToken.None);
        return (agent.Id, token);
    }

    /// <summary>A connection with a query, from an address; it is served until it ends.</summary>
    public ScriptedPeer Open(string query, IPAddress? address = null)
    {
        var peer = new ScriptedPeer(query, address ?? IPAddress.Parse("20.0.0.1"), Attempts);
        peer.Serve(_channel.Sockets.Single().Handler);
        return peer;
    }

    /// <summary>A member without a key, and its connection.</summary>
    public async Task<(long Id, ScriptedPeer Peer)> ConnectAsync(string wallet)
    {
        var (id, token) = await RegisterAsync(wallet: wallet);
        var peer = Open($"?agent_id={id}&token={token}");
        Assert.Equal("connected", (string?)JsonNode.Parse(await peer.HearAsync())!["type"]);
        return (id, peer);
    }

    public string Query(long id, string token, IdentityKey key) => $"?agent_id={id}&token={token}&ts={Now}&sig={AgentKeys.Sign(key, id, Now)}";

    public void Dispose() => _channel.Dispose();
}

/// <summary>The other end of a connection of the endpoint.</summary>
internal sealed class ScriptedPeer : ISocketPeer
{
    private readonly Channel<byte[]> _incoming = Channel.CreateUnbounded<byte[]>();
    private readonly Channel<string> _said = Channel.CreateUnbounded<string>();
    private readonly CancellationTokenSource _closed = new();
    private readonly IAccessAttempts _attempts;
    private readonly TaskCompletionSource<SocketEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;

    public ScriptedPeer(string query, IPAddress address, IAccessAttempts attempts)
    {
        _attempts = attempts;
        Request = new EndpointRequest
        {
            Id = "r",
            Verb = "GET",
            Path = "/juji/ws",
            Origin = "http://localhost",
            Template = "/juji/ws",
            RemoteAddress = address,
            Query = query.TrimStart('?').Split('&').Select(static pair => pair.Split('=', 2)).ToDictionary(
                static pair => pair[0], static pair => (IReadOnlyList<string>)[pair[1]]),
        };
    }

    public string Id { get; } = Guid.NewGuid().ToString();

    public EndpointRequest Request { get; }

    public string? Subprotocol => null;

    public Caller? Caller { get; private set; }

    public DateTimeOffset LastHeardAt => default;

    public long QueuedBytes => 0;

    public CancellationToken Closed => _closed.Token;

    public SocketEnd? End { get; private set; }

    /// <summary>Attempts that the endpoint refused.</summary>
    public ConcurrentQueue<string?> Failures { get; } = new();

    /// <summary>Messages that the endpoint has taken.</summary>
    public int Taken => Volatile.Read(ref _taken);

    public async void Serve(Func<ISocketPeer, CancellationToken, Task> handler)
    {
        try
        {
            await handler(this, Closed);
        }
        catch (OperationCanceledException)
        {
            // Closed.
        }

        Close();
    }

    public void Say(string text) => _incoming.Writer.TryWrite(Encoding.UTF8.GetBytes(text));

    public async Task<string> HearAsync() => await _said.Reader.ReadAsync().AsTask().WaitAsync(Wait.Limit);

    public async Task<int> ClosedWithAsync() => (await _end.Task.WaitAsync(Wait.Limit)).Code;

    public void Authenticate(Caller caller) => Caller = caller;

    public void AuthenticationFailed(string? identity)
    {
        Failures.Enqueue(identity);
        _attempts.Failed(Door.Listener, Request.RemoteAddress, identity, "refused");
    }

    public async ValueTask<SocketMessage?> ReceiveAsync(CancellationToken cancellationToken = default)
    {
        if (!await _incoming.Reader.WaitToReadAsync(cancellationToken)) return null;
        var content = await _incoming.Reader.ReadAsync(cancellationToken);
        Interlocked.Increment(ref _taken);
        return new SocketMessage(content, false);
    }

    public ValueTask<PushOutcome> SendAsync(ReadOnlyMemory<byte> content, bool binary = false, CancellationToken cancellationToken = default)
    {
        _said.Writer.TryWrite(Encoding.UTF8.GetString(content.Span));
        return ValueTask.FromResult(PushOutcome.Flushed);
    }

    public void Close(int code = 1000, string reason = "")
    {
        End ??= new SocketEnd(code, reason, ByPeer: false);
        _end.TrySetResult(End);
        _closed.Cancel();
    }
}
