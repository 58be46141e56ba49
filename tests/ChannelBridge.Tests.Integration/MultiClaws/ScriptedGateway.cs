using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>The plugin's side of the link as docs/link.md says it, with an agent that a test scripts: given a turn's text and the host's tools, it says its answer.</summary>
internal sealed class ScriptedGateway : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly SemaphoreSlim _sending = new(1);
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _calls = new();
    private readonly Func<string, Func<string, JsonObject, Task<JsonNode>>, Task<string>> _agent;
    private readonly Func<JsonObject, bool> _notice;
    private readonly CancellationTokenSource _stop = new();
    private Task _reading = Task.CompletedTask;
    private int _next;

    private ScriptedGateway(Func<string, Func<string, JsonObject, Task<JsonNode>>, Task<string>> agent, Func<JsonObject, bool> notice) =>
        (_agent, _notice) = (agent, notice);

    /// <summary>Connects to a host as its gateway.</summary>
    /// <param name="host">The host.</param>
    /// <param name="agent">The agent.</param>
    /// <param name="notice">Given each word into a session (<c>link.notify</c>). False: it is taken and never answered. Null: all of them are answered.</param>
    public static async Task<ScriptedGateway> ConnectAsync(
        HostProcess host, Func<string, Func<string, JsonObject, Task<JsonNode>>, Task<string>> agent, Func<JsonObject, bool>? notice = null)
    {
        var gateway = new ScriptedGateway(agent, notice ?? (static _ => true));
        await gateway._socket.ConnectAsync(new UriBuilder(host.Url) { Scheme = "ws", Path = "/rpc" }.Uri, CancellationToken.None);
        gateway._reading = gateway.ReadAsync();
        await gateway.CallAsync("auth.authenticate", new JsonObject { ["token"] = host.Token });
        await gateway.CallAsync("link.hello", new JsonObject
        {
            ["token"] = host.Token,
            ["protocol"] = 1,
            ["instanceId"] = "scripted",
            ["gatewayVersion"] = "2026.9.6",
            ["pluginVersion"] = "1.0.0",
            ["channels"] = new JsonArray("bncr"),
            ["accounts"] = new JsonArray(),
        });
        return gateway;
    }

    /// <summary>Ends at once, with whatever is under way: for the host it was killed.</summary>
    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        await _stop.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _socket.Dispose();
    }

    private async Task<JsonNode> CallAsync(string method, JsonObject parameters)
    {
        var id = Interlocked.Increment(ref _next);
        var answer = _calls[id] = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        await SendAsync(new JsonObject { ["jsonrpc"] = "2.0", ["id"] = id, ["method"] = method, ["params"] = parameters });
        var result = await answer.Task.WaitAsync(HostProcess.Timeout);
        Assert.True(result["error"] is null, $"{method}: {result.ToJsonString()}");
        return result["result"]!;
    }

    private async Task TurnAsync(JsonObject turn)
    {
        var id = (string)turn["turnId"]!;
        await EventAsync("adopted", null);
        var text = await _agent((string)turn["text"]!, (name, arguments) =>
            CallAsync("link.tool", new JsonObject { ["name"] = name, ["arguments"] = arguments, ["sessionKey"] = (string)turn["sessionKey"]! }));
        await EventAsync("reply", text);
        await EventAsync("done", null);

        Task EventAsync(string kind, string? said)
        {
            var parameters = new JsonObject { ["turnId"] = id, ["kind"] = kind };
            if (said is not null) parameters["text"] = said;
            return SendAsync(new JsonObject { ["jsonrpc"] = "2.0", ["method"] = "link.turnEvent", ["params"] = parameters });
        }
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            using var frame = new MemoryStream();
            WebSocketReceiveResult part;
            do
            {
                part = await _socket.ReceiveAsync(buffer, _stop.Token);
                if (part.MessageType == WebSocketMessageType.Close) return;
                frame.Write(buffer, 0, part.Count);
            }
            while (!part.EndOfMessage);

            var message = JsonNode.Parse(frame.ToArray())!.AsObject();
            if (message["method"] is null)
            {
                if (_calls.TryRemove((int)message["id"]!, out var call)) call.TrySetResult(message);
                continue;
            }

            if (message["id"] is not { } id) continue;
            if ((string)message["method"]! == "link.notify" && !_notice(message["params"]!.AsObject())) continue;
            await SendAsync(new JsonObject { ["jsonrpc"] = "2.0", ["id"] = id.DeepClone(), ["result"] = new JsonObject { ["accepted"] = true, ["delivered"] = true } });
            if ((string)message["method"]! == "link.turn") _ = TurnAsync(message["params"]!.AsObject());
        }
    }

    private async Task SendAsync(JsonObject message)
    {
        await _sending.WaitAsync();
        try
        {
            await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(message), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        }
        finally
        {
            _sending.Release();
        }
    }
}
