using System.IO.Pipes;
using System.Net.Sockets;
using System.Text.Json;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Doors;
using Microsoft.Extensions.DependencyInjection;
using StreamJsonRpc;
using StreamJsonRpc.Protocol;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>StreamJsonRpc as it comes from its package, as a client of each door that speaks JSON-RPC.</summary>
public sealed class StreamJsonRpcTests
{
    public static TheoryData<string> Doors => ["socket", "pipe", "websocket"];

    [Theory, MemberData(nameof(Doors))]
    public async Task Calls_NamedAndAsOneObject_AreAnswered(string door)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await Client.ConnectAsync(host, door);

        Assert.Equal("named", (await client.EchoAsync("named")).Text);
        Assert.Equal("one", (await client.Rpc.InvokeWithCancellationAsync<EchoResult>("test.echo", [new { text = "one" }])).Text);
        var many = await Task.WhenAll(Enumerable.Range(0, 500).Select(number => client.EchoAsync($"{number}")));
        Assert.Equal(Enumerable.Range(0, 500).Select(number => $"{number}"), many.Select(answer => answer.Text));
    }

    [Theory, MemberData(nameof(Doors))]
    public async Task Cancel_ARunningCall_EndsAsItsOwnCancellation(string door)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await Client.ConnectAsync(host, door);
        using var cancel = new CancellationTokenSource();
        var held = client.Rpc.InvokeWithParameterObjectAsync<EchoResult>("test.hold", new { key = "forever" }, cancel.Token);
        await Wait.UntilAsync(() => !host.Methods.Started.IsEmpty);

        await cancel.CancelAsync();

        var ended = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => held.WaitAsync(WireHost.Timeout));
        Assert.Equal(cancel.Token, ended.CancellationToken);
        Assert.Equal("forever", Assert.Single(host.Methods.Cancelled));
        Assert.Equal("still here", (await client.EchoAsync("still here")).Text);
    }

    [Theory, MemberData(nameof(Doors))]
    public async Task Errors_CarryTheStableCode(string door)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await Client.ConnectAsync(host, door);

        var busy = await Assert.ThrowsAsync<RemoteInvocationException>(() => client.CallAsync("test.fail", new { code = "busy" }));
        Assert.Equal(-32000, busy.ErrorCode);
        var data = JsonSerializer.SerializeToNode((JsonElement)busy.ErrorData!)!;
        Assert.Equal("BUSY", (string?)data["code"]);
        Assert.Equal(1500, (int)data["retryAfterMs"]!);
        await Assert.ThrowsAsync<RemoteMethodNotFoundException>(() => client.CallAsync("no.such.method", new { }));
        Assert.Equal("still here", (await client.EchoAsync("still here")).Text);
    }

    [Theory, MemberData(nameof(Doors))]
    public async Task Events_AndCallsOfTheHost_ReachTheClient(string door)
    {
        await using var host = await WireHost.StartAsync();
        var pushed = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var client = await Client.ConnectAsync(host, door, rpc =>
        {
            rpc.AddLocalRpcMethod("test.event", (string text) => pushed.TrySetResult(text));
            rpc.AddLocalRpcMethod("their.method", (string text) => $"answer to {text}");
        });

        await client.CallAsync("test.push", new { count = 1, size = 3, wait = true });
        Assert.Equal("xxx", await pushed.Task.WaitAsync(WireHost.Timeout));
        Assert.Equal("\"answer to their.method\"", (await client.CallAsync("test.call", new { text = "their.method" })).Text);
    }

    private sealed class Client(JsonRpc rpc, IAsyncDisposable? below) : IAsyncDisposable
    {
        public JsonRpc Rpc => rpc;

        public static async Task<Client> ConnectAsync(WireHost host, string door, Action<JsonRpc>? prepare = null)
        {
            var formatter = new SystemTextJsonFormatter
            {
                JsonSerializerOptions = new JsonSerializerOptions(JsonSerializerDefaults.Web),
            };
            IAsyncDisposable? below = null;
            IJsonRpcMessageHandler handler;
            switch (door)
            {
                case "socket":
                    var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(host.SocketPath));
                    handler = Framed(new NetworkStream(socket, ownsSocket: true), formatter);
                    break;
                case "pipe":
                    var name = $"cb-test-{Guid.NewGuid():N}";
                    var endpoint = new NamedPipeEndpoint(host.Services.GetRequiredService<EndpointRuntime>(), name);
                    await endpoint.OpenAsync();
                    below = endpoint;
                    var pipe = new NamedPipeClientStream(".", name, PipeDirection.InOut, PipeOptions.Asynchronous);
                    await pipe.ConnectAsync();
                    handler = Framed(pipe, formatter);
                    break;
                default:
                    handler = new WebSocketMessageHandler(await host.OpenAsync("/rpc", bearer: WireHost.Token), formatter);
                    break;
            }

            var rpc = new StandardRpc(handler);
            prepare?.Invoke(rpc);
            rpc.StartListening();
            return new Client(rpc, below);
        }

        public Task<EchoResult> EchoAsync(string text) => CallAsync("test.echo", new { text });

        public Task<EchoResult> CallAsync(string method, object parameters) =>
            rpc.InvokeWithParameterObjectAsync<EchoResult>(method, parameters).WaitAsync(WireHost.Timeout);

        public async ValueTask DisposeAsync()
        {
            rpc.Dispose();
            if (below is not null) await below.DisposeAsync();
        }

        private static HeaderDelimitedMessageHandler Framed(Stream stream, SystemTextJsonFormatter formatter) => new(stream, formatter);
    }

    /// <summary>Error data stay JSON: a host's <c>data</c> isn't one of StreamJsonRpc's own error records.</summary>
    private sealed class StandardRpc(IJsonRpcMessageHandler handler) : JsonRpc(handler)
    {
        protected override Type? GetErrorDetailsDataType(JsonRpcError error) => typeof(JsonElement);
    }
}
