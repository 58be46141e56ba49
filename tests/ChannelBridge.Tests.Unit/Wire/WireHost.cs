using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Core.Access;
using ChannelBridge.Endpoints;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>The doors on a real listener and a real Unix socket, with methods that do what the tests need.</summary>
internal sealed class WireHost : IAsyncDisposable
{
    public const string Token = "first-token-0123456789";
    public const string ReadToken = "reader-token-0123456789";

    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly WebApplication _app;
    private readonly string _directory;

    private WireHost(WebApplication app, string directory, TestMethods methods)
    {
        _app = app;
        _directory = directory;
        Methods = methods;
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        Address = new Uri(address.Replace("http:", "ws:", StringComparison.Ordinal));
    }

    public Uri Address { get; }

    public TestMethods Methods { get; }

    public string SocketPath => Path.Combine(_directory, "channelbridge.sock");

    public EndpointDoors Doors => _app.Services.GetRequiredService<EndpointDoors>();

    public IServiceProvider Services => _app.Services;

    public static async Task<WireHost> StartAsync(
        Action<EndpointLimits>? limits = null, Action<EndpointOptions>? options = null, TimeProvider? time = null, Action<IServiceCollection>? more = null)
    {
        var directory = Scratch.NewFolder("cb-wire-");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var methods = new TestMethods();
        var tokens = new TokenAuthority([
            AccessToken.FromToken("first", Token, Scopes.All),
            AccessToken.FromToken("reader", ReadToken, Scopes.Read),
        ]);
        builder.Services.AddSingleton<ITokenAuthority>(tokens);
        builder.Services.AddSingleton<IContributor>(methods);
        if (time is not null) builder.Services.AddSingleton(time);
        more?.Invoke(builder.Services);
        builder.Services.AddChannelBridgeEndpoints(
            gateway =>
            {
                gateway.SocketPath = Path.Combine(directory, "channelbridge.sock");
                gateway.Version = "9.9.9";
                options?.Invoke(gateway);
            },
            limits);
        builder.Services.AddHostedService<DoorsAlone>();
        var app = builder.Build();
        app.MapChannelBridge();
        await app.StartAsync();
        return new WireHost(app, directory, methods);
    }

    /// <summary>A WebSocket to a path.</summary>
    public async Task<ClientWebSocket> OpenAsync(string path, string? subprotocol = null, string? bearer = null, string? origin = null)
    {
        var socket = new ClientWebSocket();
        if (subprotocol is not null) socket.Options.AddSubProtocol(subprotocol);
        if (bearer is not null) socket.Options.SetRequestHeader("Authorization", $"Bearer {bearer}");
        if (origin is not null) socket.Options.SetRequestHeader("Origin", origin);
        using var timeout = new CancellationTokenSource(Timeout);
        await socket.ConnectAsync(new Uri(Address, path), timeout.Token);
        return socket;
    }

    /// <summary>An OpenClaw client that has connected with every scope it asks for.</summary>
    public async Task<WireClient> ConnectAsync(string token = Token, string path = "/", params string[] scopes)
    {
        var client = new WireClient(await OpenAsync(path));
        await client.HandshakeAsync(token, scopes);
        return client;
    }

    /// <summary>A JSON-RPC client over WebSocket.</summary>
    public async Task<WireClient> RpcAsync(string? bearer = Token) => new(await OpenAsync("/rpc", bearer: bearer));

    /// <summary>A JSON-RPC client over the Unix socket.</summary>
    public Task<SocketClient> LocalAsync() => SocketClient.ConnectAsync(SocketPath);

    public async ValueTask DisposeAsync()
    {
        Methods.ReleaseAll();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>Methods whose end a test decides about.</summary>
internal sealed class TestMethods : IMethodSource
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _gates = new();

    public ConcurrentQueue<string> Started { get; } = new();

    public ConcurrentQueue<string> Cancelled { get; } = new();

    public ConcurrentDictionary<string, IClientConnection> Connections { get; } = new();

    public ConcurrentQueue<System.Diagnostics.ActivityContext> Traces { get; } = new();

    public IEnumerable<string> Events => ["test.event"];

    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create("test.echo", Scopes.Read, "Answers with its text.", TestJson.Default.EchoParameters, TestJson.Default.EchoResult, (p, call, _) =>
        {
            Connections[call.Connection.Id] = call.Connection;
            if (call.TraceContext != default) Traces.Enqueue(call.TraceContext);
            return ValueTask.FromResult(new EchoResult(p.Text, call.Connection.Id));
        }),
        RpcMethod.Create("test.write", Scopes.Write, "Needs write.", TestJson.Default.EchoParameters, TestJson.Default.EchoResult, (p, call, _) =>
            ValueTask.FromResult(new EchoResult(p.Text, call.Connection.Id))),
        RpcMethod.Create("test.admin", Scopes.Admin, "Needs admin.", TestJson.Default.EchoParameters, TestJson.Default.EchoResult, (p, call, _) =>
            ValueTask.FromResult(new EchoResult(p.Text, call.Connection.Id))),
        RpcMethod.Create("test.hold", Scopes.Read, "Waits until the test lets it go.", TestJson.Default.HoldParameters, TestJson.Default.EchoResult, HoldAsync),
        RpcMethod.Create("test.fail", Scopes.Read, "Fails.", TestJson.Default.FailParameters, TestJson.Default.EchoResult, FailAsync),
        RpcMethod.Create("test.legacy", Scopes.Read, "Fails in old words.", TestJson.Default.FailParameters, TestJson.Default.EchoResult, FailAsync, legacyErrors: true),
        RpcMethod.Create("test.push", Scopes.Read, "Pushes events to the caller.", TestJson.Default.PushParameters, TestJson.Default.EchoResult, PushAsync),
        RpcMethod.Create(
            "test.after", Scopes.Read, "Pushes an event behind its answer.", TestJson.Default.FailParameters, TestJson.Default.EchoResult, AfterAsync, actsAfterAnswer: true),
        RpcMethod.Create("test.content", Scopes.Read, "Tells the bytes beside its parameters.", TestJson.Default.EchoParameters, TestJson.Default.EchoResult, (p, call, _) =>
            ValueTask.FromResult(new EchoResult($"{p.Text} {Convert.ToHexStringLower(call.Content.Span)}", call.Connection.Id))),
        RpcMethod.Create("test.give", Scopes.Read, "Calls the caller with bytes.", TestJson.Default.EchoParameters, TestJson.Default.EchoResult, GiveAsync),
        RpcMethod.Create("test.call", Scopes.Read, "Calls the caller.", TestJson.Default.EchoParameters, TestJson.Default.EchoResult, CallAsync),
    ];

    /// <summary>Lets <c>test.hold {key}</c> go.</summary>
    public void Release(string key) => Gate(key).TrySetResult();

    public void ReleaseAll()
    {
        foreach (var gate in _gates.Values) gate.TrySetResult();
    }

    private TaskCompletionSource Gate(string key) => _gates.GetOrAdd(key, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private async ValueTask<EchoResult> HoldAsync(HoldParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        Started.Enqueue(parameters.Key);
        try
        {
            await Gate(parameters.Key).Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Cancelled.Enqueue(parameters.Key);
            throw;
        }

        return new EchoResult(parameters.Key, call.Connection.Id);
    }

    private static async ValueTask<EchoResult> FailAsync(FailParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (parameters.Later) await Task.Yield();
        throw parameters.Code switch
        {
            "crash" => new InvalidOperationException("secret of the house"),
            "busy" => BridgeException.Busy("the queue is full", TimeSpan.FromMilliseconds(1500)),
            "details" => new BridgeException(ErrorCodes.Conflict, "it is so") { Details = new JsonObject { ["why"] = "because" } },
            "legacy" => BridgeException.Invalid("the new words", "the old words"),
            _ => new BridgeException(parameters.Code, "as you wish"),
        };
    }

    private static async ValueTask<EchoResult> PushAsync(PushParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var payload = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new EchoParameters(new string('x', parameters.Size)), TestJson.Default.EchoParameters);
        var outcomes = new Dictionary<PushOutcome, int>();
        var pushes = Enumerable.Range(0, parameters.Count).Select(_ => call.Connection.PushAsync("test.event", payload, CancellationToken.None)).ToArray();
        if (!parameters.Wait) return new EchoResult("pushed", call.Connection.Id);
        foreach (var push in pushes)
        {
            var outcome = await push;
            outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
        }

        return new EchoResult(string.Join(",", outcomes.OrderBy(o => o.Key).Select(o => $"{o.Key}:{o.Value}")), call.Connection.Id);
    }

    private static async ValueTask<EchoResult> AfterAsync(FailParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        call.AfterAnswer(() => _ = call.Connection.PushAsync("test.event", "{}"u8.ToArray(), CancellationToken.None).AsTask());
        if (parameters.Later) await Task.Yield();
        return parameters.Code == "none" ? new EchoResult("first", call.Connection.Id) : throw new BridgeException(parameters.Code, "first");
    }

    private static async ValueTask<EchoResult> GiveAsync(EchoParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var answer = await ((IRpcPeer)call.Connection).InvokeAsync("take", "{\"n\":1}"u8.ToArray(), System.Text.Encoding.UTF8.GetBytes(parameters.Text), cancellationToken);
        return new EchoResult(System.Text.Encoding.UTF8.GetString(answer.Span), call.Connection.Id);
    }

    private static async ValueTask<EchoResult> CallAsync(EchoParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var peer = call.Connection as IRpcPeer ?? throw BridgeException.Invalid("this connection can't be called");
        var answer = await peer.InvokeAsync(
            parameters.Text, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(parameters, TestJson.Default.EchoParameters), cancellationToken);
        return new EchoResult(System.Text.Encoding.UTF8.GetString(answer.Span), call.Connection.Id);
    }
}

internal sealed record EchoParameters(string Text);

internal sealed record EchoResult(string Text, string ConnId);

internal sealed record HoldParameters(string Key);

internal sealed record FailParameters(string Code, bool Later = false);

internal sealed record PushParameters(int Count = 1, int Size = 1, bool Wait = true);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(EchoParameters))]
[JsonSerializable(typeof(EchoResult))]
[JsonSerializable(typeof(HoldParameters))]
[JsonSerializable(typeof(FailParameters))]
[JsonSerializable(typeof(PushParameters))]
internal sealed partial class TestJson : JsonSerializerContext;
