using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Access;
using ChannelBridge.OpenClaw;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Link;

/// <summary>The host's side of the link over a store in memory, a channel that notes its calls, and a plugin that a test scripts.</summary>
internal sealed class LinkUnderTest : IAsyncDisposable
{
    public const string Token = "the-first-token-of-the-test";

    private readonly ServiceProvider _services;
    private readonly Dictionary<string, RpcMethod> _methods;

    public LinkUnderTest(MemoryStore? store = null, Action<LinkOptions>? configure = null, TimeProvider? time = null, IEnumerable<AccessToken>? tokens = null)
    {
        Store = store ?? new MemoryStore();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddSingleton<IStore>(Store);
        services.AddSingleton<ITokenAuthority>(new TokenAuthority(tokens ?? [AccessToken.FromToken("first", Token, Scopes.All)]));
        services.AddSingleton<IContributor>(Channel);
        services.AddChannelBridgeCore();
        services.AddOpenClawLink(configure);
        _services = services.BuildServiceProvider();
        _services.GetRequiredService<IRegistry>().Add([.. _services.GetServices<IContributor>()]);
        _methods = _services.GetRequiredService<IRegistry>().Current.Of<IMethodSource>().SelectMany(source => source.Methods).ToDictionary(method => method.Name);
        Agent = _services.GetServices<IAgent>().Single(agent => agent.Name == "openclaw");
        Admission = _services.GetRequiredService<IGatewayAdmission>();
        Session = _services.GetRequiredService<LinkSession>();
    }

    public MemoryStore Store { get; }

    public FakeChannel Channel { get; } = new();

    public IAgent Agent { get; }

    public IGatewayAdmission Admission { get; }

    public LinkSession Session { get; }

    public IRegistry Registry => _services.GetRequiredService<IRegistry>();

    /// <summary>A plugin that has said hello.</summary>
    public async Task<FakePlugin> LinkedAsync(string instance = "gateway-1")
    {
        var plugin = new FakePlugin();
        await CallAsync(plugin, "link.hello", Hello(instance));
        return plugin;
    }

    public static JsonObject Hello(string instance = "gateway-1", string token = Token, int protocol = 1) => new()
    {
        ["token"] = token,
        ["protocol"] = protocol,
        ["instanceId"] = instance,
        ["gatewayVersion"] = "2026.9.6",
        ["pluginVersion"] = "0.1.0",
        ["accounts"] = new JsonArray(
            new JsonObject { ["channel"] = "test", ["accountId"] = "Primary", ["agentId"] = "work", ["outboundRequireAck"] = true },
            new JsonObject { ["channel"] = "test", ["accountId"] = "Shop", ["enabled"] = false, ["outboundRequireAck"] = "auto" }),
    };

    /// <summary>A call of the plugin, as the router would make it.</summary>
    public Task<JsonNode> CallAsync(FakePlugin plugin, string method, JsonObject parameters) => CallRawAsync(plugin, method, parameters.ToJsonString());

    /// <summary>The same with parameters as they stand on the wire.</summary>
    public async Task<JsonNode> CallRawAsync(FakePlugin plugin, string method, string parameters)
    {
        var target = _methods[method];
        if (!plugin.Caller.Scopes.Covers(target.Scope)) throw new BridgeException(ErrorCodes.Unauthorized, "not a link");
        var result = new ArrayBufferWriter<byte>();
        var call = new MethodCall(plugin);
        try
        {
            await target.InvokeAsync(Encoding.UTF8.GetBytes(parameters), call, result, CancellationToken.None);
        }
        finally
        {
            call.Answered();
        }

        return JsonNode.Parse(result.WrittenSpan)!;
    }

    public Task<JsonNode> EventAsync(FakePlugin plugin, JsonObject turn, string kind, string? text = null) => CallAsync(
        plugin, "link.turnEvent", new JsonObject { ["turnId"] = (string?)turn["turnId"], ["kind"] = kind, ["text"] = text });

    public static AgentTurn Turn(string text = "hi", string? messageId = "bridge-1", string sessionKey = "lane-a") => new(
        Guid.NewGuid(),
        new InboundMessage
        {
            Channel = "test",
            AccountId = "Primary",
            SessionKey = sessionKey,
            Agent = "openclaw",
            Route = "route-a",
            SenderId = "sender",
            Subject = "Test:a",
            Door = Door.Gateway,
            MessageId = messageId,
            Text = text,
        },
        Attempt: 1);

    /// <summary>Runs a turn to its end and gives its events.</summary>
    public async Task<List<AgentEvent>> RunAsync(AgentTurn turn, CancellationToken cancellationToken = default)
    {
        var events = new List<AgentEvent>();
        await foreach (var agentEvent in Agent.RunAsync(turn, cancellationToken)) events.Add(agentEvent);
        return events;
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}

/// <summary>The plugin's end of the socket.</summary>
internal sealed class FakePlugin : IClientConnection, IRpcPeer, IReauthenticatable
{
    private readonly CancellationTokenSource _closed = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonObject>> _first = new();

    public string Id { get; } = Guid.NewGuid().ToString("N");

    public Caller Caller { get; private set; } = new("local", Scopes.Read | Scopes.Write, Door.Local);

    public CancellationToken Closed => _closed.Token;

    public bool ClosedByClient => false;

    public DateTimeOffset LastReceivedAt => DateTimeOffset.UtcNow;

    /// <summary>What the plugin answers, by method; nothing said means <c>{"accepted":true,"delivered":true}</c>.</summary>
    public Dictionary<string, Func<JsonObject, Task<JsonObject>>> Answers { get; } = [];

    public ConcurrentQueue<(string Method, JsonObject Parameters)> Calls { get; } = new();

    /// <summary>What came beside the parameters of calls.</summary>
    public ConcurrentQueue<(string Method, byte[] Content)> Contents { get; } = new();

    /// <summary>The parameters of the first call of a method.</summary>
    public Task<JsonObject> CalledAsync(string method) => SignalOf(method).Task.WaitAsync(TimeSpan.FromSeconds(60));

    public void Close() => _closed.Cancel();

    public void SetCaller(Caller caller) => Caller = caller;

    public async ValueTask<ReadOnlyMemory<byte>> InvokeAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken = default)
    {
        var read = parameters.IsEmpty ? [] : JsonNode.Parse(parameters.Span)!.AsObject();
        Calls.Enqueue((method, read));
        SignalOf(method).TrySetResult(read);
        if (Closed.IsCancellationRequested) throw BridgeException.Unavailable("the connection is closed");
        var answer = Answers.TryGetValue(method, out var script)
            ? await script(read).WaitAsync(cancellationToken)
            : new JsonObject { ["accepted"] = true, ["delivered"] = true };
        return Encoding.UTF8.GetBytes(answer.ToJsonString());
    }

    public ValueTask<ReadOnlyMemory<byte>> InvokeAsync(
        string method, ReadOnlyMemory<byte> parameters, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        Contents.Enqueue((method, content.ToArray()));
        return InvokeAsync(method, parameters, cancellationToken);
    }

    public async ValueTask<PushOutcome> NotifyAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken = default)
    {
        await InvokeAsync(method, parameters, cancellationToken);
        return PushOutcome.Flushed;
    }

    public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("a plugin gets calls, not pushes");

    private TaskCompletionSource<JsonObject> SignalOf(string method) =>
        _first.GetOrAdd(method, _ => new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously));
}

/// <summary>A channel whose targets are <c>t:ROUTE</c> and which has one method to forward to.</summary>
internal sealed class FakeChannel : IChannel
{
    public string Id => "test";

    public ConcurrentQueue<(IClientConnection Connection, string Text)> Requests { get; } = new();

    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "test.say", Scopes.Write, "Says it back.", FakeChannelJson.Default.FakeSay, FakeChannelJson.Default.FakeSay,
            (say, call, _) =>
            {
                Requests.Enqueue((call.Connection, say.Text));
                if (say.Text == "fail") throw BridgeException.Invalid("it was told to fail", "failed");
                return ValueTask.FromResult(say);
            }),
    ];

    public ValueTask StartAsync(CancellationToken cancellationToken) => default;

    public ValueTask StopAsync(CancellationToken cancellationToken) => default;

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [new ChannelAccountStatus { AccountId = "Primary", Connected = true, Pending = 3 }];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        target.StartsWith("t:", StringComparison.Ordinal)
            ? ValueTask.FromResult(new ChannelTarget("Primary", "lane of " + target[2..], target[2..]))
            : throw new BridgeException(ErrorCodes.NotFound, $"target not found: {target}");

    public ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken) => ValueTask.FromResult("t:" + route);
}

internal sealed record FakeSay(string Text);

[System.Text.Json.Serialization.JsonSourceGenerationOptions(PropertyNamingPolicy = System.Text.Json.Serialization.JsonKnownNamingPolicy.CamelCase)]
[System.Text.Json.Serialization.JsonSerializable(typeof(FakeSay))]
internal sealed partial class FakeChannelJson : System.Text.Json.Serialization.JsonSerializerContext;
